"""What is promised of a run's report, from a fit to the page in a real browser."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass, replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl
import pytest
import torch
from playwright.sync_api import Page

from firstlight.evaluate.evaluation import evaluate
from firstlight.kinds.text import TEXT
from firstlight.model.predictor import LINE
from firstlight.report.page import Chapter, render
from firstlight.report.run_page import run_page
from firstlight.report.sequences import logo
from firstlight.report.telling import told_by_columns
from firstlight.report.wording import spaced, told_apart
from firstlight.store.run import Rows, Run
from firstlight.workflow import Choices, Finished, Prepared, fit_steps

if TYPE_CHECKING:
    from tests.conftest import Fit

HOSTILE = "<script>document.title = 'taken'</script>"
LONG = "a label that goes on and on, far beyond what any axis can show, and then some more of it"
CHAPTERS = ["1 Prepare", "2 Build", "3 Fit", "4 Evaluate", "5 Save and load", "6 Together"]
MARKER_WORD, MARKER_NUMBER = "only-in-the-test", 987654.25
SECONDS = 0.5


class Watched(Protocol):
    page: Page
    said: list[str]


LookAt = Callable[[Path, int, str], Watched]


@dataclass(frozen=True)
class Told:
    """A fit, and where its report lies."""

    run: Run
    rows: Rows
    path: Path
    home: Path  # the folder in which the fit was started

    @property
    def html(self) -> str:
        return self.path.read_text("utf-8")


def table(rows: int, seed: int) -> pl.DataFrame:
    """Rows with a number, a category, a boolean and a date, some gaps, and hostile names and cells."""
    chance = random.Random(seed)
    numbers = [chance.gauss(0, 1) for _ in range(rows)]
    return pl.DataFrame(
        {
            f"size {HOSTILE}": [None if chance.random() < 0.05 else value for value in numbers],
            "town": [chance.choice(["Lyon", "Nice", HOSTILE, LONG]) for _ in range(rows)],
            "member": [chance.choice(["yes", "no"]) for _ in range(rows)],
            "since": [date(2020, 1, 1) + timedelta(days=chance.randrange(900)) for _ in range(rows)],
            "weight": [value * 2 + chance.gauss(0, 1) for value in numbers],
            "kind": [[HOSTILE, LONG, "C"][(value > -0.4) + (value > 0.4)] for value in numbers],
        }
    )


def fitted(home: Path, target: str, train: pl.DataFrame, test: pl.DataFrame | None) -> Told:
    """A short fit, started in a folder of its own with paths as a person would give them."""
    prepared: Rows | None = None
    with chdir(home):
        train.write_csv("rows.csv")
        if test is not None:
            test.write_csv("test.csv")
        choices = Choices(target=target, test=0.0 if test is None else "test.csv", seconds=SECONDS)
        for event in fit_steps("rows.csv", choices, None, Path("run")):
            if isinstance(event, Prepared):
                prepared = event.rows
            if isinstance(event, Finished):
                assert prepared is not None
                return Told(event.run, prepared, home / "run" / "report.html", home)
    raise AssertionError("the fit did not finish")


def marked(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a word and a number that stand in no training row."""
    return rows.with_columns(pl.lit(MARKER_WORD).alias("town"), pl.lit(MARKER_NUMBER).alias(rows.columns[0]))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return fitted(tmp_path_factory.mktemp("classes"), "kind", table(150, 0), marked(table(40, 1)))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return fitted(tmp_path_factory.mktemp("numbers"), "weight", table(150, 0), marked(table(40, 1)))


@pytest.fixture(scope="module")
def untested(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A fit without a test, on a table with more columns than a page can draw."""
    chance = random.Random(0)
    wide = pl.DataFrame({f"column {n}": [chance.gauss(0, 1) for _ in range(60)] for n in range(130)})
    many = wide.with_columns(pl.Series("kind", [f"class {n % 2}" for n in range(60)]), pl.lit("same").alias("constant"))
    return fitted(tmp_path_factory.mktemp("untested"), "kind", many, None)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A fit on texts, some of them hostile, of which two words decide."""
    chance = random.Random(2)
    fillers = ["the", "parcel", "came", "late", "again", "and", HOSTILE, "we", "waited"]

    def rows(count: int) -> pl.DataFrame:
        moods = [chance.choice(["splendid", "dreadful"]) for _ in range(count)]
        said = [[*chance.sample(fillers, 6), mood] for mood in moods]
        for words in said:
            chance.shuffle(words)
        kinds = [HOSTILE if mood == "splendid" else "bad" for mood in moods]
        return pl.DataFrame({"remark": [" ".join(words) for words in said], "kind": kinds})

    return fitted(tmp_path_factory.mktemp("texts"), "kind", rows(160), rows(40))


def chapters_of(html: str) -> list[str]:
    """The html of each chapter, in the order of the page; the first is what stands above them."""
    return re.split(r'<section class="chapter"', html)


def words_of(html: str) -> str:
    """What a reader reads."""
    seen = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", re.sub(r"</?(span|code)\b[^>]*>", "", seen)))


@pytest.mark.parametrize("fit", ["classes", "numbers", "untested", "texts"])
def test_a_report_keeps_all_promises_of_a_page(
    fit: str, request: pytest.FixtureRequest, check_page: Callable[[Path], None]
) -> None:
    told: Told = request.getfixturevalue(fit)
    check_page(told.path)


def test_the_verdict_stands_on_top_with_its_rows_of_scores(classes: Told, look_at: LookAt) -> None:
    page = look_at(classes.path, 1200, "light").page
    assert page.locator(".verdict p").all_inner_texts() == [
        spaced(line).replace(" %", "\u00a0%") for line in classes.run.verdict.splitlines()
    ]
    rows = page.locator(".lead table tbody tr")
    assert rows.count() == 3
    assert rows.locator("td:first-child").all_inner_texts().count("network (kept)") == 1
    assert page.locator(".lead .marked").count() == 1
    assert page.locator("main > *").first.get_attribute("class") == "lead"


def test_the_six_steps_are_the_chapters(classes: Told, numbers: Told, untested: Told, look_at: LookAt) -> None:
    for told in (classes, numbers, untested):
        page = look_at(told.path, 1200, "light").page
        assert page.locator(".chapter > h2").all_inner_texts() == CHAPTERS
        assert page.locator("nav a").all_inner_texts() == CHAPTERS


def test_every_chart_stands_below_a_sentence_that_asks(classes: Told, numbers: Told, look_at: LookAt) -> None:
    for told in (classes, numbers):
        page = look_at(told.path, 1200, "light").page
        asked = page.locator("figure:not(.cards figure):has(.chart) > h3, .gallery > h3").all_inner_texts()
        assert len(asked) > 6
        assert [question for question in asked if not question.endswith("?")] == []


def test_cells_and_names_that_hold_a_script_stay_text(classes: Told, numbers: Told, look_at: LookAt) -> None:
    for told in (classes, numbers):
        watched = look_at(told.path, 1200, "light")
        assert "predicted from rows.csv" in watched.page.title()
        assert watched.said == []
        headings = watched.page.locator(".cards h4").all_text_contents()
        assert any("<script>" in heading for heading in headings)
        assert HOSTILE not in told.html.replace(told.run.verdict, "")


def test_the_words_that_decide_are_the_most_telling_and_are_marked_in_examples(texts: Told, look_at: LookAt) -> None:
    page = look_at(texts.path, 1200, "light").page
    caption = page.locator("figure", has_text="Which words of remark moved the answers most?").locator("figcaption")
    strongest = re.findall(r"“(\w+)” speaks most for", caption.inner_text())
    assert sorted(strongest) == ["dreadful", "splendid"]
    examples = page.locator(".passages")
    assert examples.locator("blockquote").count() == 2  # one of each class; nothing is answered wrongly
    for example in examples.locator("blockquote").all():
        marked = [mark.inner_text() for mark in example.locator("mark.for").all()]
        assert any(re.match(r"(splendid|dreadful)\+", mark) for mark in marked)
    assert page.title() == "kind, predicted from rows.csv"


def test_tables_without_texts_or_sequences_have_no_such_part(classes: Told) -> None:
    assert "moved" not in words_of(chapters_of(classes.html)[4])


def test_a_logo_draws_each_letter_as_high_as_what_it_did(tmp_path: Path, look_at: LookAt) -> None:
    heights = torch.zeros(60, 4, dtype=torch.float64)
    heights[2, 3], heights[40, 0], heights[40, 1] = 2.0, 1.0, -1.0
    drawn = logo("Which bases moved it?", "ACGT", heights, "Test row 1.", "log-odds")
    path = tmp_path / "logo.html"
    path.write_text(render("logo", (), (Chapter("4 Evaluate", "", (drawn,)),)), encoding="utf-8")
    for width in (1200, 380):
        page = look_at(path, width, "dark").page
        boxes = {
            name: page.locator(f".logo path.{name}").evaluate_all(
                "all => all.map(path => path.getBoundingClientRect())"
            )
            for name in "ACGT"
        }
        assert {name: len(found) for name, found in boxes.items()} == {"A": 1, "C": 1, "G": 0, "T": 1}
        (a,), (c,), (t,) = (boxes[name] for name in "ACT")
        assert t["height"] == pytest.approx(2 * a["height"], rel=0.01)
        assert c["top"] == pytest.approx(a["bottom"], abs=0.5)
        assert page.locator(".places").all_inner_texts() == ["1\n30", "31\n60"]
    label = page.locator(".logo").get_attribute("aria-label") or ""
    assert "The strongest: T at 3 (+2.0), A at 41 (+1.0)." in label


def test_of_a_long_sequence_the_most_telling_stretch_is_drawn() -> None:
    heights = torch.zeros(1000, 4, dtype=torch.float64)
    heights[700, 2] = -3.0
    drawn = logo("Which bases moved it?", "ACGT", heights, "Test row 1.", "log-odds")
    assert drawn.first <= 701 < drawn.first + len(drawn.heights) <= 1001
    assert drawn.heights[701 - drawn.first] == (0.0, 0.0, -3.0, 0.0)
    assert drawn.numbers is not None
    assert drawn.numbers.rows == (("701", "G", "−3.0"),)


def test_what_stands_in_test_rows_alone_is_not_in_the_chapters_before_the_evaluation(
    classes: Told, numbers: Told
) -> None:
    for told in (classes, numbers):
        _, *before = chapters_of(told.html)[:4]
        assert [chapter[:60] for chapter in before if re.search(rf"{MARKER_WORD}|987.?654", chapter)] == []
        assert MARKER_WORD in chapters_of(told.html)[4], "the marker is nowhere: this test proves nothing"


def test_a_report_without_a_test_says_so(untested: Told) -> None:
    top, *_, evaluation, _, _ = chapters_of(untested.html)
    assert "Not tested" in words_of(top)
    assert "Not tested" in words_of(evaluation)
    assert 'class="chart"' not in evaluation


def test_of_many_columns_a_dozen_is_drawn_and_the_rest_is_counted(untested: Told, look_at: LookAt) -> None:
    page = look_at(untested.path, 1200, "light").page
    assert page.locator(".cards figure").count() == 12
    assert "118 more are not drawn" in page.locator(".gallery .opening").inner_text()
    assert "30 more are listed in plan.toml" in words_of(untested.html)
    assert len(untested.html) < 1_500_000


def test_what_is_left_out_is_said_with_its_reason(untested: Told) -> None:
    assert re.search(r"constant\s+constant: always 'same'", words_of(chapters_of(untested.html)[1]))


def test_no_path_of_the_machine_is_in_a_report(classes: Told, numbers: Told, untested: Told) -> None:
    for told in (classes, numbers, untested):
        assert str(told.home) not in told.html
        assert str(Path.cwd()) not in told.html
        assert "firstlight predict run/model.safetensors" in words_of(told.html)


def test_the_script_stands_whole_at_the_end(classes: Told, look_at: LookAt) -> None:
    page = look_at(classes.path, 1200, "light").page
    script = (classes.path.parent / "train.py").read_text("utf-8")
    assert page.locator(".script code").last.text_content() == script
    assert page.locator(".script").last.get_by_role("button", name="Copy").count() == 1


def test_parameters_are_shown_as_they_were_born_and_as_they_became(classes: Told) -> None:
    chapter = words_of(chapters_of(classes.html)[3])
    row = re.search(r"hidden\.0\.weight\s+\d+ × (\d+) × \d+\s+[\d\u202f]+\s+(\S+)\s+(\S+)\s+(\S+)", chapter)
    assert row is not None
    inputs, before, after, moved = map(float, row.groups())
    assert before == pytest.approx((3 * inputs) ** -0.5, rel=0.05)  # uniform between -1 and 1 over the root of inputs
    assert before != after
    assert moved > 0
    spreads = re.search(r"was (\S+) at birth and is (\S+) now", chapter)
    assert spreads is not None
    assert spreads.group(1) != spreads.group(2)


def test_the_same_run_gives_the_same_page(numbers: Told) -> None:
    assert run_page(numbers.run, numbers.rows, "", {}) == run_page(numbers.run, numbers.rows, "", {})


@pytest.mark.parametrize("fit", ["classes", "numbers"])
def test_a_single_test_row_one_epoch_and_the_line_make_a_page_too(
    fit: str, request: pytest.FixtureRequest, tmp_path: Path, look_at: LookAt
) -> None:
    told: Told = request.getfixturevalue(fit)
    rows = Rows(told.rows.train, told.rows.test.head(1), told.rows.truth[:1])
    predictor = replace(told.run.predictor, kept=LINE)
    labels = predictor.encoders.labels or None
    evaluation = evaluate(rows.truth, predictor.answers(rows.test), LINE, labels=labels, groups=None, seed=0)
    run = replace(told.run, predictor=predictor, evaluation=evaluation, history=told.run.history[:1], folder=None)
    path = tmp_path / "report.html"
    path.write_text(run_page(run, rows, "print()\n", {"model.safetensors": 1_234_567}), encoding="utf-8")
    watched = look_at(path, 380, "dark")
    assert watched.page.locator(".chart:not([data-drawn])").count() == 0
    assert watched.said == []
    assert "nan" not in words_of(path.read_text("utf-8").split("<noscript>")[0]).split()
    assert re.search(r"model\.safetensors\s+the model: weights.*?\s1\.2 MB", words_of(path.read_text("utf-8")))
    assert "The straight line: it errs less" in words_of(path.read_text("utf-8"))


def test_a_column_that_is_the_target_tells_all_and_one_of_chance_tells_nothing(numbers: Told) -> None:
    train = numbers.rows.train
    told = told_by_columns(train, numbers.run.predictor)
    first, *_ = told
    assert first.startswith("size")
    assert told[first] > 0.5
    assert told["member"] < 0.1
    assert list(told.values()) == sorted(told.values(), reverse=True)


def test_of_two_columns_of_texts_the_one_that_knows_the_target_tells_it(fit: Fit) -> None:
    chance = np.random.default_rng(0)
    mood = chance.integers(0, 2, 240)
    words = [f"word{number}" for number in range(300)]
    rows = pl.DataFrame(
        {
            # of few words, so its part of the line's features is far smaller than the other column's
            "few": [" ".join(chance.choice(words[:12], 9)) for _ in mood],
            "many": [" ".join([*chance.choice(words, 9), ["dull", "bright"][each]]) for each in mood],
            "label": [["low", "high"][each] for each in mood],
        }
    )
    run = fit(rows, Choices("label", seconds=1.0))
    assert list(run.predictor.plan.of_kind(TEXT)) == ["few", "many"]
    told = told_by_columns(rows, run.predictor)
    assert told["many"] > 0.9
    assert told["few"] < 0.1


def test_of_texts_and_sequences_lengths_and_letters_are_shown(tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = pl.DataFrame(
        {
            "note": [
                " ".join(chance.choices(["a", "few", "short", "words"], k=6 + number % 7)) for number in range(120)
            ],
            "read": ["".join(chance.choices("ACGT", k=60 + number)) for number in range(120)],
            "probe": ["".join(chance.choices("AC", [1, 3], k=39)) + "G" for _ in range(120)],
            "kind": [chance.choice("xy") for _ in range(120)],
        }
    )
    told = fitted(tmp_path, "kind", rows, None)
    shown = words_of(told.html)
    assert "they run from 6 to 12" in shown, "words of the texts"
    assert "they run from 60 to 179" in shown, "bases of the sequences"
    letters = "".join(rows["read"])
    a, c, g, t = (f"{100 * letters.count(base) / len(letters):.1f}" for base in "ACGT")
    assert re.search(rf"Their letters are A {a}\s%, C {c}\s%, G {g}\s% and T {t}\s%\.", shown)
    assert "120 sequences of 40 bases each." in shown


def test_names_that_are_cut_short_stay_apart() -> None:
    shown = told_apart([LONG, LONG + "!", "", "a", "a (2)"])
    assert len(set(shown)) == 5
    assert max(map(len, shown)) <= 44
    assert shown[2] == "(empty)"


def test_numbers_written_for_a_terminal_are_set_for_a_page() -> None:
    assert spaced("7 043 of 1 152 048 rows, R² -0.07") == "7\u202f043 of 1\u202f152\u202f048 rows, R² −0.07"
    assert spaced("12 of 344 rows on 2024-05-31") == "12 of 344 rows on 2024-05-31"
