"""What is promised of every page that a person looks at, held against a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

import altair as alt
import numpy as np
import pytest
from playwright.sync_api import Page

from firstlight.report import charts, libraries
from firstlight.report.page import Block, Chapter, Figure, Folded, Grid, Prose, Script, render

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"

# Comment, keywords, strings, a number, and a line that is wider than a phone.
SOURCE = f"""# 1 Prepare
import torch


def line(x: float) -> str:
    'A straight line.'
    return f"{{x:.2f}} {"wide " * 60}"
"""


class Watched(Protocol):
    page: Page
    said: list[str]
    fetched: list[str]


LookAt = Callable[[Path, int, str], Watched]


def bars(labels: tuple[str, ...] = ("Adelie", "Gentoo")) -> Figure:
    """A chart as another room would make it, with nothing of ours in it."""
    rows = [{"name": label, "rows": number + 1} for number, label in enumerate(labels)]
    chart = alt.Chart(alt.InlineData(values=rows)).mark_bar()
    return Figure("How many of each?", chart.encode(x="rows:Q", y="name:N", tooltip=["name:N"]), "A few of each.")


def written(folder: Path, *blocks: Block, title: str = "penguins.csv") -> Path:
    path = folder / "page.html"
    lead = (Prose("It is right about 99 times in 100."),)
    path.write_text(render(title, lead, (Chapter("1 Prepare", "344 rows.", blocks),)), encoding="utf-8")
    return path


def every_chart() -> tuple[Figure, ...]:
    """Each chart of a run's report at least once, with rows as a run would have them."""
    chance = np.random.default_rng(0)
    truth = np.exp(chance.normal(12, 0.5, 2000))
    said = truth * np.exp(chance.normal(0, 0.2, 2000))
    days = [date(2019, 2, 1) + timedelta(days=int(day)) for day in chance.integers(0, 1900, 500)]
    born = chance.uniform(-0.1, 0.1, 500)
    epochs = np.arange(1, 30)
    falling, rising = np.exp(-epochs / 5), np.exp(-epochs / 5) + epochs / 300
    promises = [charts.Promise(share, share, share - 0.05, min(share + 0.05, 1), 40) for share in (0.3, 0.6, 0.9)]
    scored = [charts.Scored("network", 98.6, 92.2, 99.7, kept=True), charts.Scored("constant", 43.5, 32.4, 55.2)]
    many = [f"class {number}" for number in range(20)]
    return (
        charts.numbers("bill_length_mm", chance.normal(44, 5, 300), gaps=2),
        charts.categories("island", {f"an island with a long name, number {n}": 50 - n for n in range(30)}),
        charts.dates("signup", days),
        charts.split_of_classes("species", {"Adelie": 120, "Gentoo": 100}, {"Adelie": 32, "Gentoo": 24}),
        charts.split_of_numbers("price", truth[:1600], truth[1600:]),
        charts.learning_curves(falling.tolist(), rising.tolist(), 12, "log loss"),
        charts.learning_curves(falling.tolist(), [], 29, "squared error"),
        charts.weights("all parameters", born, born + chance.normal(0, 0.05, 500)),
        charts.scores("right", scored, "%"),
        charts.confusion(["Adelie", "Chinstrap", "Gentoo"], [[30, 0, 0], [1, 13, 0], [0, 0, 25]]),
        charts.confusion(many, (np.eye(20, dtype=int) * 9 + 1).tolist()),
        charts.predictions("price", truth, said, said * 0.7, said * 1.4),
        charts.residuals("price", said - truth),
        charts.reliability(promises),
        charts.coverage(0.95, dict(zip(("all", "low", "high"), promises, strict=True))),
    )


def test_a_page_with_every_kind_of_block_keeps_all_promises(tmp_path: Path, check_page: Callable[[Path], None]) -> None:
    grid = Grid("What was decided?", ("column", "share"), (("island", "43.5 %"), ("sex", "3.2 %")), "By the rows.")
    wide = Grid("", tuple(f"column {n}" for n in range(20)), (("a cell of some length",) * 20,), "")
    folded = Folded("More", (bars(), grid, Folded("Still more", (Prose("The end."),))))
    script = Script("train.py", SOURCE)
    check_page(written(tmp_path, bars(), grid, wide, Prose("One.\n\nTwo."), folded, script))


def test_every_chart_of_a_report_keeps_all_promises(tmp_path: Path, check_page: Callable[[Path], None]) -> None:
    check_page(written(tmp_path, *every_chart()))


def test_a_cell_that_holds_a_script_stays_text_everywhere(tmp_path: Path, look_at: LookAt) -> None:
    chart = bars((HOSTILE, "b"))
    blocks = (
        Figure(HOSTILE, chart.chart, HOSTILE, Grid(HOSTILE, (HOSTILE,), ((HOSTILE,),), HOSTILE)),
        charts.categories(HOSTILE, {HOSTILE: 3}),
        charts.numbers(HOSTILE, [1.0, 2.0]),
        charts.confusion([HOSTILE, "b"], [[1, 2], [3, 4]]),
        Prose(HOSTILE),
        Script(HOSTILE, f"print({HOSTILE!r})"),
        Folded(HOSTILE, (Prose(HOSTILE),)),
    )
    watched = look_at(written(tmp_path, *blocks, title=HOSTILE), 1200, "light")
    watched.page.locator(".chart").first.locator("svg .mark-rect path").first.hover(force=True)
    tooltip = watched.page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert "</script>" in tooltip.inner_text()
    assert watched.page.title() == HOSTILE
    assert watched.page.locator("img").count() == 0
    assert watched.page.locator("td").first.text_content() == HOSTILE
    assert watched.page.locator("h3").first.text_content() == HOSTILE
    assert watched.said == []
    assert watched.fetched == []


def test_a_script_that_slips_in_would_not_run(tmp_path: Path, look_at: LookAt) -> None:
    path = written(tmp_path)
    html = path.read_text(encoding="utf-8")
    path.write_text(html.replace("</main>", "<script>document.title = 'taken'</script></main>"), encoding="utf-8")
    watched = look_at(path, 1200, "light")
    assert watched.page.title() == "penguins.csv"
    assert any("Content Security Policy" in said for said in watched.said)


def test_a_chart_in_a_folded_part_is_as_wide_as_one_that_is_not(tmp_path: Path, look_at: LookAt) -> None:
    page = look_at(written(tmp_path, bars(), Folded("More", (bars(),))), 1200, "light").page
    page.locator("summary").click()
    page.wait_for_timeout(100)
    assert (
        page.locator(".chart svg").evaluate_all(
            "all => Math.abs(all[0].getBoundingClientRect().width - all[1].getBoundingClientRect().width)"
        )
        < 2
    )


def test_a_chart_follows_the_width_of_the_window(tmp_path: Path, look_at: LookAt) -> None:
    page = look_at(written(tmp_path, *every_chart()), 1200, "light").page
    page.set_viewport_size({"width": 380, "height": 900})
    page.wait_for_function("[...document.querySelectorAll('.chart svg')].every(svg => svg.viewBox.baseVal.width < 380)")


def test_the_dark_needs_no_second_drawing(tmp_path: Path, look_at: LookAt) -> None:
    page = look_at(written(tmp_path, bars()), 1200, "light").page
    colour = "getComputedStyle(document.querySelector('.chart .mark-rect path')).fill"
    in_light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    in_dark = page.evaluate(colour)
    page.emulate_media(color_scheme="dark", media="print")
    assert len({in_light, in_dark, page.evaluate(colour)}) == 3


def test_the_first_stop_of_the_keyboard_leads_to_the_result(tmp_path: Path, look_at: LookAt) -> None:
    page = look_at(written(tmp_path, bars()), 380, "light").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the result"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_button_copies_the_whole_script(tmp_path: Path, look_at: LookAt) -> None:
    source = "# 1 Prepare\nrows = {'a': 1 < 2}\n\n\nprint(rows)\n"
    page = look_at(written(tmp_path, Script("train.py", source)), 1200, "light").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == source


def test_what_is_folded_stands_on_paper(tmp_path: Path, look_at: LookAt) -> None:
    page = look_at(written(tmp_path, Folded("More", (Prose("Deep inside."),))), 1200, "light").page
    assert not page.get_by_text("Deep inside.").evaluate("one => one.checkVisibility()")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_text("Deep inside.").evaluate("one => one.checkVisibility()")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_the_same_blocks_give_the_same_bytes() -> None:
    def page() -> str:
        return render("penguins.csv", (), (Chapter("4 Evaluate", "", every_chart()),))

    assert page() == page()


def test_a_number_that_json_lacks_is_left_out_of_the_chart(tmp_path: Path, look_at: LookAt) -> None:
    losses = [1.0, 0.5, float("inf"), float("nan"), 0.4]
    watched = look_at(written(tmp_path, charts.learning_curves(losses, [], 5, "squared error")), 1200, "light")
    assert watched.page.locator(".chart[data-drawn]").count() == 1
    assert watched.said == []


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1.0],
        [3.0] * 9,
        [0.0] * 500 + [1e12],
        [1e18, 1e18 + 256],
        [-1e308, 1e308, 1.0],
        [1e-310, 2e-310],
        [float("nan"), float("inf"), 2.0],
        list(range(1000)),
        [0.1 + 0.2, 0.3],
    ],
)
def test_any_column_of_numbers_has_a_histogram(values: list[float]) -> None:
    figure = charts.numbers("x", values)
    figure.chart.to_dict()
    assert figure.caption


def test_a_histogram_counts_every_value_once() -> None:
    values = np.arange(100)
    grid = charts.numbers("x", values).numbers
    assert grid is not None
    assert {row[-1] for row in grid.rows} == {"10"}


def test_the_rarer_categories_share_a_bar() -> None:
    counts = {f"value {n:02}": 1000 if n < 11 else 20 for n in range(40)}
    figure = charts.categories("x", counts)
    assert figure.numbers is not None
    assert figure.numbers.rows[0] == ("value 00", "1\u202f000")
    assert figure.numbers.rows[-1] == ("29 others", "580")


def test_a_bar_of_the_rarer_categories_that_would_dwarf_the_others_becomes_a_sentence() -> None:
    figure = charts.categories("x", {f"value {n:02}": 3 for n in range(500)})
    assert figure.numbers is not None
    assert figure.numbers.rows[-1] == ("value 10", "3")
    assert "The 489 that are not drawn share 1\u202f467 rows." in figure.caption


def test_columns_of_numbers_are_set_to_the_right() -> None:
    grid = Grid("", ("name", "right", "interval"), (("line", "97.1 %", "90.0 – 99.2"), ("7", "4", "−3.5")), "")
    html = render("x", (grid,), ())
    assert '<th scope="col" class="short">name</th>' in html
    assert '<th scope="col" class="right">right</th>' in html
    assert '<th scope="col" class="right">interval</th>' in html


def test_a_grid_whose_rows_are_ragged_is_refused() -> None:
    with pytest.raises(ValueError, match="row 1 has 1 cells for 2 columns"):
        Grid("", ("a", "b"), (("1", "2"), ("3",)), "")


def test_the_chart_library_is_made_once_and_mended_when_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[str] = []

    def bundle(snippet: str, version: str) -> str:
        made.append(version)
        return f"/* é </script> */ {snippet}"

    def library() -> str:
        libraries.chart_library.cache_clear()
        return libraries.chart_library()

    monkeypatch.setattr("vl_convert.javascript_bundle", bundle)
    first = library()
    assert "</script" not in first
    assert library() == first
    assert len(made) == 1
    (kept,) = (tmp_path / "firstlight").iterdir()
    for broken in (kept.read_bytes()[:-1], b"\xff\xfe", b""):
        kept.write_bytes(broken)
        assert library() == first
    assert len(made) == 4
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept))  # a file: nothing can be kept below it
    assert library() == first
    libraries.chart_library.cache_clear()
