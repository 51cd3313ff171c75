"""What moved an answer: words, bases and cells are left out in turn, and the model is asked again."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis.strategies import integers, text

from firstlight.kinds.dna import DNA
from firstlight.kinds.kind import Occlusion
from firstlight.kinds.text import TEXT
from firstlight.model import why
from firstlight.model.answers import ClassAnswers, NumberAnswers
from firstlight.model.predictor import LINE, NETWORK, Predictor
from firstlight.model.why import Moved, Why, effects_in, notes_on, signed, whys
from firstlight.plain.why import (
    bases_changed,
    effects_of,
    log_odds,
    moved_by,
    parts_of_text,
    with_changes,
    words_left_out,
)
from firstlight.report.sampling import shortened
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit

WORDS = ["refund", "great", "slow", "the", "parcel", "arrived", "again", "never", "was", "and"]


def reviews(rows: int = 120) -> pl.DataFrame:
    """Texts of some of ten words, a price, and a verdict and a score that both depend on two of the words."""
    chance = torch.Generator().manual_seed(5)
    holds = torch.rand(rows, len(WORDS), generator=chance) < 0.6
    price = torch.rand(rows, generator=chance, dtype=torch.float64)
    score = 2.0 * holds[:, 1] - 1.5 * holds[:, 0] + price
    chosen = [[word for word, there in zip(WORDS, row, strict=True) if there] for row in holds.tolist()]
    return pl.DataFrame(
        {
            "text": [" ".join([*words, "ok"]) for words in chosen],
            "price": [round(each, 3) for each in price.tolist()],
            "verdict": [["bad", "fine"][int(each > 0.6)] for each in score.tolist()],
            "score": score.tolist(),
        }
    )


@pytest.fixture(scope="module")
def predictors(fit: Fit) -> dict[str, Predictor]:
    """Models of the verdict and of the score, by target; each model is kept by name in the tests."""
    rows = reviews()
    return {
        target: fit(rows.drop(other), Choices(target=target, seconds=0.01)).predictor
        for target, other in (("verdict", "score"), ("score", "verdict"))
    }


def parts(cell: str) -> list[str]:
    return [change.part for change in words_left_out(cell, most=100)]


def test_a_word_is_taken_out_wherever_it_stands_and_however_it_is_written() -> None:
    changes = {
        change.part: change.cell for change in words_left_out("Great food. GREAT wine, a greater great-aunt", 99)
    }
    assert changes["Great"] == " food.  wine, a greater great-aunt"
    assert list(changes) == ["Great", "food", ".", "wine", ",", "a", "greater", "great-aunt"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("I don't pay 3,5 €", ["I", "don't", "pay", "3,5", "€"]),
        ("naïve हिन्दी", ["naïve", "हिन्दी"]),
        ("没有好", ["没", "有", "好"]),
        ("good 👩‍👩‍👧👍🏽 🇩🇪!!", ["good", "👩‍👩‍👧", "👍🏽", "🇩🇪", "!"]),
        ("bad <br /> film <b>x</b>", ["bad", "film", "x"]),
        ("good&nbsp;film&#1;", ["good", "film"]),
        ("fish &amp; chips &#8211; R&D;", ["fish", "&amp;", "chips", "&#8211;", "R", "&D;"]),
        ("1 < 2", ["1", "<", "2"]),
        (" \n\x00", []),
        ("", []),
    ],
)
def test_words_are_told_as_a_reader_sees_them(cell: str, words: list[str]) -> None:
    assert parts(cell) == words


@given(text())
def test_the_parts_of_a_text_are_the_text(cell: str) -> None:
    assert "".join(parts_of_text(cell)) == cell


@given(text(), integers(0, 5))
def test_so_many_words_are_left_out_and_each_is_gone(cell: str, most: int) -> None:
    changes = list(words_left_out(cell, most))
    assert [change.number for change in changes] == list(range(1, min(most, len(parts(cell))) + 1))
    for change in changes:
        left = [part.lower() for part in parts_of_text(cell) if part.lower() != change.part.lower()]
        assert change.cell.lower() == "".join(left)


def test_a_base_is_replaced_by_each_of_the_three_others_and_unknown_ones_stay() -> None:
    changes = list(bases_changed("AuN-g", most=99))
    assert [(change.number, change.part, change.cell) for change in changes] == [
        (1, "A", "CuN-g"), (1, "A", "GuN-g"), (1, "A", "TuN-g"),
        (2, "T", "AaN-g"), (2, "T", "AcN-g"), (2, "T", "AgN-g"),
        (5, "G", "AuN-a"), (5, "G", "AuN-c"), (5, "G", "AuN-t"),
    ]  # fmt: skip
    assert len(list(bases_changed("ACGT", most=2))) == 6


def test_log_odds_are_exact_where_a_class_is_all_but_sure() -> None:
    sums = torch.tensor([[0.0, 90.0, -3.0], [1.0, 2.0, 3.0]], dtype=torch.float64)
    odds = log_odds(sums.softmax(dim=1))
    assert odds[0, 1].item() == pytest.approx(90 - math.log(1 + math.exp(-3)))
    assert odds[1, 2].item() == pytest.approx(3 - math.log(math.exp(1) + math.exp(2)))


def test_the_effect_of_a_base_is_the_answer_minus_the_mean_of_the_three() -> None:
    changes = list(bases_changed("AC", most=2))
    values = torch.tensor([[5.0], [1.0], [2.0], [6.0], [5.0], [5.0], [4.7]])
    assert effects_of(changes, values).flatten().tolist() == pytest.approx([5 - 3, 0.1])
    assert [each[:2] for each in moved_by(changes, values.flatten())] == [(1, "A"), (2, "C")]


def test_a_row_with_its_changes_is_the_row_once_for_each() -> None:
    row = pl.DataFrame({"text": ["a b"], "size": [1.5]})
    asked = with_changes(row, "text", list(words_left_out("a b", most=9)))
    assert asked.to_dict(as_series=False) == {"text": ["a b", " b", "a "], "size": [1.5] * 3}


def test_for_a_line_the_effect_of_a_word_is_the_change_of_its_logit(predictors: dict[str, Predictor]) -> None:
    predictor = replace(predictors["verdict"], kept=LINE)
    rows = reviews().head(20)
    known = predictor.encoders.learned["common_words"]["text"]
    features: dict[str, Any] = dict(predictor.line.features.items())
    names = list(features)
    first = sum(features[name].width for name in names[: names.index("common_words")])
    deviation = features["common_words"].deviation
    weight = (predictor.line.sums.weight.detach()[:, first : first + len(deviation)] / deviation)[:, -len(known) :]
    for found in effects_in(predictor, rows):
        cell = rows["text"][found.row]
        assert [part.part for part in found.parts] == ["", *dict.fromkeys(cell.split())]
        for part, values in zip(found.parts[1:], found.values[1:], strict=True):
            place = known.index(part.part) if part.part in known else None
            change = 0.0 if place is None else (weight[1, place] - weight[0, place]).item()
            assert values.tolist() == pytest.approx([-change, change], abs=1e-9)


@pytest.mark.parametrize("target", ["verdict", "score"])
@pytest.mark.parametrize("kept", [NETWORK, LINE])
def test_an_effect_is_the_answer_minus_the_answer_without_the_part(
    predictors: dict[str, Predictor], target: str, kept: str
) -> None:
    predictor = replace(predictors[target], kept=kept)
    rows = reviews().head(8)

    def value(frame: pl.DataFrame, likeliest: int) -> float:
        answers = predictor.answer(frame)
        if isinstance(answers, NumberAnswers):
            return answers.predictions.item()
        assert isinstance(answers, ClassAnswers)
        chance = answers.probabilities[0, likeliest].item()
        return math.log(chance / (1 - chance))

    for number, found in enumerate(effects_in(predictor, rows)):
        row = rows[number]
        words = row["text"].item().split()
        without = [row.with_columns(price=pl.lit(None, pl.Float64))] + [
            row.with_columns(text=pl.lit(" ".join(each for each in words if each != word))) for word in words
        ]
        whole = value(row, found.likeliest)
        expected = [whole - value(each, found.likeliest) for each in without]
        assert found.values[:, found.likeliest].tolist() == pytest.approx(expected, abs=2e-5)


def test_blocks_do_not_change_what_comes_out(predictors: dict[str, Predictor], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [found.values for found in effects_in(predictors["verdict"], reviews().head(12))]
    monkeypatch.setattr(why, "ROWS", 5)
    monkeypatch.setattr(why, "CELLS", 7)
    monkeypatch.setattr(why, "LETTERS", 100)
    blocks = list(effects_in(predictors["verdict"], reviews().head(12)))
    assert [found.row for found in blocks] == list(range(12))
    for one, other in zip(whole, blocks, strict=True):
        torch.testing.assert_close(one, other.values, atol=2e-5, rtol=1e-5)


def test_the_words_that_decide_are_the_ones_that_are_told(predictors: dict[str, Predictor]) -> None:
    rows = pl.DataFrame({"text": ["great the parcel was ok", "refund the parcel was ok"], "price": [0.5, 0.5]})
    for reasons, word in zip(whys(predictors["score"], rows), ("great", "refund"), strict=True):
        assert reasons.moved[0].part == word
        assert reasons.moved[0].effect * (1 if word == "great" else -1) > 0
        assert str(reasons).startswith(f'"{word}" ')


def test_an_empty_text_and_a_gap_move_nothing(predictors: dict[str, Predictor]) -> None:
    rows = pl.DataFrame({"text": [None, "", " \t"], "price": [None, None, None]}, schema_overrides={"text": pl.String})
    assert list(map(str, whys(predictors["verdict"], rows))) == ["", "", ""]


def test_a_text_of_more_words_than_are_asked_about_is_noted(
    predictors: dict[str, Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    occlusion = TEXT.occlusion
    assert occlusion is not None
    few: Occlusion = replace(occlusion, most=3)
    monkeypatch.setattr(why, "occlusions_of", lambda plan: {"text": few})
    rows = pl.DataFrame({"text": ["great the parcel was", "great the parcel", "a b c d e"], "price": [0.5] * 3})
    reasons = list(whys(predictors["verdict"], rows))
    assert [each.beyond for each in reasons] == [("text",), (), ("text",)]
    assert all(moved.number <= 3 for each in reasons for moved in each.moved)
    assert notes_on(predictors["verdict"], reasons) == (
        "text: 2 rows have more than 3 different words: only the first 3 were left out in turn",
    )


def test_at_most_five_are_told_the_strongest_first_and_what_comes_to_nothing_is_not() -> None:
    effects = {"a": 3.0, "b": -2.0, "c": 1.04, "d": 0.5, "e": 0.04, "f": 0.03}
    moved = [Moved("text", "", 0, name, effect) for name, effect in effects.items()]
    assert str(Why(tuple(moved), ())) == "a +3.0, b -2.0, c +1.0, d +0.5"
    assert str(Why((), ())) == ""
    assert signed([0.0]) == [""]
    assert signed([-0.0123, 0.002]) == ["-0.012", "+0.002"]


def test_a_long_word_and_one_of_two_columns_are_told_apart() -> None:
    occlusion = TEXT.occlusion
    assert occlusion is not None
    place = why.Place("notes", 1, "x" * 1000)
    assert why._told(place, {"notes": occlusion}) == f'"{"x" * 39}…"'
    assert why._told(replace(place, part="{x}"), {"notes": occlusion, "title": occlusion}) == '"{x}" in notes'


def test_the_script_tells_the_same_of_the_first_test_row(fit: Fit, bare: Bare) -> None:
    run = fit(reviews().drop("score"), Choices(target="verdict", test=0.2, seconds=0.01), keep=NETWORK)
    assert run.folder is not None
    rows = pl.read_parquet(run.folder / "rows.parquet")
    said, fault = bare(run.folder / "train.py")
    assert fault == ""
    (head,) = [line for line in said.splitlines() if line.startswith("the first test row is answered with")]
    told = re.findall(r'^  ([+-]\d+\.\d\d)  "(.*)"$', said, re.MULTILINE)
    assert len(told) == 5
    reasons = [
        (answer, {moved.part: moved.effect for moved in found.moved})
        for answer, found in zip(run.predict(rows)["verdict"], whys(run.predictor, rows), strict=True)
    ]
    assert any(
        f"answered with {answer};" in head
        and all(effects.get(word, 0.0) == pytest.approx(float(effect), abs=0.0051) for effect, word in told)
        for answer, effects in reasons
    )


def test_of_long_rows_a_report_asks_about_fewer_parts() -> None:
    assert DNA.occlusion is not None
    for length, most in ((60, DNA.occlusion.most), (2_000, 200), (100_000, 100)):
        rows = pl.DataFrame({"bases": ["A" * length, None]})
        assert shortened({"bases": DNA.occlusion}, rows)["bases"].most == most
