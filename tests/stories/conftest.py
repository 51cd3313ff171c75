"""A command line, and a real browser for what a person looks at: the report and the course's page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright

from firstlight.cli.main import main

Scheme: TypeAlias = Literal["light", "dark"]
CheckPage: TypeAlias = Callable[[Path], None]
LookAt: TypeAlias = "Callable[[Path, int, Scheme], Watched]"

PHONE, DESK = 380, 1200  # pixels wide

# No sandbox: in a container there is often none to have. The rest keeps the browser from the network.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# What a chart is drawn of, its axes, grid and legends left aside.
MARKS = """place => [...place.querySelectorAll('svg g.mark-rect, svg g.mark-symbol, svg g.mark-line,'
  + 'svg g.mark-rule, svg g.mark-area, svg g.mark-text, svg g.mark-arc, svg g.mark-image, svg g.mark-path')]
  .filter(mark => !mark.closest('.role-axis, .role-legend') && mark.querySelector('path, line, text, rect, image'))
  .length"""


class Printed(NamedTuple):
    """What a command line came to."""

    status: int
    out: str
    err: str


Run: TypeAlias = Callable[..., Printed]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `firstlight ...` within this process, in an empty folder; the words of the line are its arguments."""
    monkeypatch.chdir(tmp_path)

    def run_it(*words: str | Path) -> Printed:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Printed(status, captured.out, captured.err)

    return run_it


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; skips where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("this test looks at a page in a real browser, and there is no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A page being looked at, with all that it said and all that it asked for."""

    def __init__(self, browser: Browser, path: Path, width: int, scheme: Scheme) -> None:
        self.said: list[str] = []
        self.fetched: list[str] = []
        self.path = path
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("request", self._note)
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("body[data-drawn]", state="attached")

    def _note(self, request: Request) -> None:
        if not request.url.startswith("data:") and request.url.partition("#")[0] != self.path.as_uri():
            self.fetched.append(request.url)


@pytest.fixture
def look_at(chromium: Browser) -> Iterator[LookAt]:
    """Opens a page that `firstlight.report.page` wrote, waits until its charts are drawn, closes it later."""
    opened: list[Watched] = []

    def look(path: Path, width: int, scheme: Scheme) -> Watched:
        opened.append(Watched(chromium, path, width, scheme))
        return opened[-1]

    yield look
    for watched in opened:
        watched.page.close()


@pytest.fixture
def check_page(look_at: LookAt) -> CheckPage:
    """Holds a page to all that is promised of every page, in light and dark, at a desk and on a phone."""

    def check(path: Path) -> None:
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', path.read_text("utf-8"))
        assert policy is not None, "the page has no policy"
        assert "unsafe" not in policy.group(1)
        looks: tuple[tuple[Scheme, int], ...] = (("light", DESK), ("dark", PHONE))
        for scheme, width in looks:
            watched = look_at(path, width, scheme)
            every_chart_draws(watched.page)
            nothing_scrolls_sideways(watched.page, width)
            nothing_stands_in_anyones_way(watched.page)
            everything_folded_opens_by_keyboard(watched.page)
            nothing_scrolls_sideways(watched.page, width)
            nothing_stands_in_anyones_way(watched.page)
            everything_prints(watched.page)
            assert watched.said == [], f"the console is not silent ({scheme}, {width} pixels)"
            assert watched.fetched == [], f"something was fetched ({scheme}, {width} pixels)"

    return check


def every_chart_draws(page: Page) -> None:
    places = page.locator(".chart").all()
    for place in places:
        name = place.get_attribute("aria-label")
        assert place.get_attribute("role") == "img"
        assert name, "a chart has no words that stand in for it"
        assert place.get_attribute("data-drawn") == "yes", f"not drawn: {name}"
        assert place.evaluate(MARKS) > 0, f"drawn without a mark: {name}"


def nothing_scrolls_sideways(page: Page, width: int) -> None:
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    wider = page.locator(".chart svg").evaluate_all(
        "(all, width) => all.filter(svg => svg.getBoundingClientRect().right > width).length", width
    )
    assert wider == 0, "a chart is wider than the page"


def nothing_stands_in_anyones_way(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    serious = [
        f"{finding['id']}: {finding['help']}: {finding['nodes'][0]['html'][:200]}"
        for finding in found
        if finding["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def everything_folded_opens_by_keyboard(page: Page) -> None:
    for summary in page.locator("summary").all():  # in the order of the page: the outer before the inner
        summary.focus()
        page.keyboard.press("Enter")
    assert page.locator("details:not([open])").count() == 0


def everything_prints(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator("nav, button").evaluate_all("all => all.filter(one => one.checkVisibility()).length") == 0
    assert page.locator(".chart svg").evaluate_all("all => all.filter(one => !one.checkVisibility()).length") == 0
    page.emulate_media(media="screen")
