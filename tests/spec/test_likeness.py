"""Texts and sequences that are nearly the same are found, and stay together wherever rows are parted."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from firstlight.plain.likeness import (
    LETTERS_AT_A_TIME,
    TEXT_SHINGLE,
    kin_without_crowds,
    like_sequences,
    like_texts,
    sketches_of,
    text_shingles,
)
from firstlight.plain.split import kin_in_any, linked
from firstlight.plan.splitting import compared_by_likeness, kin_of, seen_rows
from firstlight.refusal import Refused
from firstlight.workflow import Choices, open_rows, prepare_rows

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit

WORDS = (
    "river stone amber lantern quiet harbour seven meadow copper winter journey paper orchard thunder velvet candle "
    "island mirror garden silver forest morning letter bridge window autumn voyage whisper marble compass shadow "
    "market pepper tunnel ribbon castle falcon summer basket violet anchor temple barrel cinder dragon empire"
).split()
seeds = st.integers(0, 2**31)


def text(chance: random.Random, words: int = 30) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def with_another_word(sentence: str, chance: random.Random) -> str:
    words = sentence.split()
    words[chance.randrange(len(words))] = "elsewhere"
    return " ".join(words)


def sequence(chance: random.Random, bases: int = 120) -> str:
    return "".join(chance.choices("ACGT", k=bases))


def reverse_complement(bases: str) -> str:
    return bases.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def with_another_base(bases: str, chance: random.Random) -> str:
    place = chance.randrange(len(bases))
    return bases[:place] + chance.choice("ACGT".replace(bases[place], "")) + bases[place + 1 :]


def families(kin: Tensor) -> list[list[int]]:
    """The rows of each group, in order; rows without kin are left out."""
    groups: dict[int, list[int]] = {}
    for row, label in enumerate(kin.tolist()):
        groups.setdefault(label, []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def shingles(written: str, width: int) -> set[str]:
    return {written[place : place + width] for place in range(len(written) - width + 1)}


def base_shingles(bases: str) -> set[str]:
    return {min(piece, reverse_complement(piece)) for piece in shingles(bases, 12)}


# Texts


@given(seed=seeds)
def test_a_text_with_one_word_in_thirty_changed_is_kin_and_an_unrelated_one_is_not(seed: int) -> None:
    chance = random.Random(seed)
    one, other = text(chance), text(chance)
    assert like_texts(pl.Series([other, one, with_another_word(one, chance)])).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "near",
    [
        pytest.param(str.upper, id="case"),
        pytest.param(lambda one: one.replace(" ", "\n \t"), id="blanks"),
        pytest.param(lambda one: "  " + one + "\r\n", id="blanks around it"),
        pytest.param(lambda one: one + "!!", id="an exclamation"),
        pytest.param(lambda one: "Fwd: " + one, id="a word before it"),
    ],
)
def test_what_does_not_make_another_text(near: Callable[[str], str]) -> None:
    one = "The Größe of this Weinglas was not what we had ordered, and nobody at the bar would hear of it."
    assert like_texts(pl.Series([one, near(one)])).tolist() == [0, 0]


def test_a_language_without_blanks_is_read_too() -> None:
    one = "送餐速度很快。味道也非常好。下次还会再来订这家的外卖"
    other = "等了两个小时才送到。菜都凉了。再也不会订了。非常失望"
    assert like_texts(pl.Series([one, one.replace("的", ""), other])).tolist() == [0, 0, 2]


@pytest.mark.parametrize("cell", ["", None, " ", "\0", "ok", "Thank you!", "very good food", "ha " * 200])
def test_empty_cells_and_mere_phrases_are_like_no_other(cell: str | None) -> None:
    assert like_texts(pl.Series([cell, cell, cell], dtype=pl.String)).tolist() == [0, 1, 2]


def test_a_cell_does_not_run_into_the_next() -> None:
    """Two halves of a text, whatever letters stand at their ends, are not the whole."""
    whole = text(random.Random(0), 40)
    halves = [whole[: len(whole) // 2], whole[len(whole) // 2 :]]
    assert like_texts(pl.Series([whole, *halves, halves[0] + "\0", whole])).tolist() == [0, 1, 2, 1, 0]


def test_texts_are_near_where_the_share_of_common_shingles_says_so() -> None:
    """Against the shares as they are, counted from all shingles of all pairs."""
    chance = random.Random(4)
    written = [text(chance, chance.randint(8, 200)) for _ in range(60)]
    for one in list(written):
        words = one.split()
        for _ in range(chance.randint(0, len(words) // 2)):
            words[chance.randrange(len(words))] = chance.choice(WORDS)
        written.append(" ".join(words))
    kin = like_texts(pl.Series(written))
    sets = [shingles(one.replace(" ", ""), 8) for one in written]
    for row in range(60):
        share = len(sets[row] & sets[row + 60]) / len(sets[row] | sets[row + 60])
        if share >= 0.85:
            assert kin[row] == kin[row + 60], (share, written[row])
        if share <= 0.5:
            assert kin[row] != kin[row + 60], (share, written[row])


# Sequences


@given(seed=seeds, bases=st.integers(20, 400))
def test_a_reverse_complement_is_kin_and_an_unrelated_sequence_is_not(seed: int, bases: int) -> None:
    chance = random.Random(seed)
    one, other = sequence(chance, bases), sequence(chance, bases)
    assert like_sequences(pl.Series([other, reverse_complement(one), one])).tolist() == [0, 1, 1]


@given(seed=seeds)
def test_a_sequence_with_one_base_in_a_hundred_changed_is_kin_on_both_strands(seed: int) -> None:
    chance = random.Random(seed)
    one = sequence(chance, 100)
    changed = with_another_base(one, chance)
    assert like_sequences(pl.Series([one, changed, reverse_complement(changed)])).tolist() == [0, 0, 0]


@given(seed=seeds)
def test_windows_that_overlap_by_nine_tenths_are_kin_and_by_half_are_not(seed: int) -> None:
    genome = sequence(random.Random(seed), 200)
    assert like_sequences(pl.Series([genome[:100], genome[10:110]])).tolist() == [0, 0]
    assert like_sequences(pl.Series([genome[:100], genome[50:150]])).tolist() == [0, 1]


def test_case_u_for_t_gaps_and_line_breaks_do_not_make_another_sequence() -> None:
    one = sequence(random.Random(0), 60)
    tens = [one[start : start + 10] for start in range(0, 60, 10)]
    same = [one.lower(), one.replace("T", "U"), one.lower().replace("t", "u")]
    same += [gap.join(tens) + "*" for gap in ("\r\n", "--", " ", "...")]
    assert like_sequences(pl.Series([one, *same])).tolist() == [0] * 8


@pytest.mark.parametrize("cell", ["", None, "N" * 100, "ACGT", "-" * 50])
def test_sequences_without_bases_or_of_a_few_are_like_no_other(cell: str | None) -> None:
    assert like_sequences(pl.Series([cell, cell], dtype=pl.String)).tolist() == [0, 1]


def test_what_is_around_unknown_letters_is_compared() -> None:
    one = sequence(random.Random(0), 100)
    assert like_sequences(pl.Series([one[:50] + "NRY" + one[50:], one])).tolist() == [0, 0]


def test_sequences_as_long_as_genes_are_told_apart() -> None:
    chance = random.Random(0)
    one, other = sequence(chance, 100_000), sequence(chance, 100_000)
    cells = [one, other, reverse_complement(one[:90_000])]
    assert like_sequences(pl.Series(cells)).tolist() == [0, 1, 0]


def test_sequences_are_near_where_the_share_of_common_shingles_says_so() -> None:
    chance = random.Random(5)
    genome = sequence(chance, 3000)
    starts = [chance.randrange(2800) for _ in range(120)]
    cells = [genome[start : start + chance.randint(60, 200)] for start in starts]
    kin = like_sequences(pl.Series(cells))
    sets = [base_shingles(bases) for bases in cells]
    shares = {
        (one, other): len(sets[one] & sets[other]) / len(sets[one] | sets[other])
        for one in range(120)
        for other in range(one)
    }
    near = torch.tensor([pair for pair, share in shares.items() if share >= 0.75]).T
    far = linked(120, torch.tensor([pair for pair, share in shares.items() if share >= 0.45]).T)
    assert near.shape[1] > 20
    assert torch.equal(kin[near[0]], kin[near[1]])
    assert all(len(far[rows].unique()) == 1 for rows in families(kin))


# Laws of both


@pytest.mark.parametrize(
    ("like", "draw", "change"), [(like_texts, text, with_another_word), (like_sequences, sequence, with_another_base)]
)
@given(seed=seeds, sizes=st.lists(st.integers(1, 4), min_size=1, max_size=8))
def test_the_order_of_the_rows_does_not_change_who_is_together(
    like: Callable[[pl.Series], Tensor],
    draw: Callable[[random.Random], str],
    change: Callable[[str, random.Random], str],
    seed: int,
    sizes: list[int],
) -> None:
    chance = random.Random(seed)
    cells = []
    for size in sizes:
        one = draw(chance)
        cells += [one, *(change(one, chance) for _ in range(size - 1))]
    order = chance.sample(range(len(cells)), len(cells))
    kin, shuffled = like(pl.Series(cells)), like(pl.Series([cells[row] for row in order]))
    together = kin[:, None] == kin[None, :]
    assert torch.equal(shuffled[:, None] == shuffled[None, :], together[order][:, order])


@given(rows=st.integers(1, 30), data=st.data())
def test_linked_rows_have_the_number_of_the_first_that_can_be_reached(rows: int, data: st.DataObject) -> None:
    row = st.integers(0, rows - 1)
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=40))
    reach = [{place} for place in range(rows)]
    for one, other in pairs:  # the plain way: two sets become one
        both = reach[one] | reach[other]
        for place in both:
            reach[place] = both
    kin = linked(rows, torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T)
    assert kin.tolist() == [min(place) for place in reach]


@given(data=st.data(), rows=st.integers(1, 20))
def test_kin_in_any_way_are_symmetric_and_transitive_and_nothing_is_lost(data: st.DataObject, rows: int) -> None:
    labels = st.lists(st.integers(0, rows - 1), min_size=rows, max_size=rows)
    ways = [first_of_each(data.draw(labels)) for _ in range(data.draw(st.integers(1, 3)))]
    kin = kin_in_any(ways)
    assert torch.equal(kin[kin], kin), "the label of a group is one of its rows"
    for way in ways:
        assert torch.equal(kin[way], kin), "who was together is together"
    assert len(kin.unique()) >= max(1, rows - sum(rows - len(way.unique()) for way in ways))


def first_of_each(labels: Sequence[int]) -> Tensor:
    return torch.tensor([labels.index(label) for label in labels])


def test_a_crowd_is_dissolved_and_a_family_is_not() -> None:
    kin = torch.tensor([0] * 12 + [12] * 10 + list(range(22, 100)))
    assert families(kin_without_crowds(kin, 0.1)) == [list(range(12, 22))]
    assert families(kin_without_crowds(kin, 0.12)) == [list(range(12)), list(range(12, 22))]


def test_a_set_phrase_and_a_tiled_genome_link_nobody() -> None:
    chance = random.Random(0)
    texts = ["No damage was found when the aircraft was inspected after the landing."] * 30 + [
        text(chance) for _ in range(170)
    ]
    assert families(like_texts(pl.Series(texts))) == []
    genome = sequence(chance, 2100)
    assert families(like_sequences(pl.Series([genome[start : start + 100] for start in range(0, 2000, 5)]))) == []


def test_the_order_of_rows_that_are_all_a_little_alike_does_not_change_who_is_together() -> None:
    """Most of each text is a form, so that many sketches agree in a place, and only some pairs are found there."""
    chance = random.Random(0)
    form = text(chance, 90)
    cells = []
    for _ in range(300):
        words = text(chance, 40).split()
        cells += [f"{form} {' '.join(words)}", f"{form} {' '.join(words[:28])} {text(chance, 12)}"]
    order = chance.sample(range(600), 600)
    kin, shuffled = like_texts(pl.Series(cells)), like_texts(pl.Series([cells[row] for row in order]))
    together = kin[:, None] == kin[None, :]
    assert len(families(kin)) > 50
    assert torch.equal(shuffled[:, None] == shuffled[None, :], together[order][:, order])


def test_of_a_long_text_each_shingle_is_hashed_once() -> None:
    """It is hashed in blocks, and no shingle at their borders is lost or comes twice."""
    cells = pl.Series(["".join(random.Random(0).choices("abcdefgh", k=2 * LETTERS_AT_A_TIME)), "12345678"])
    hashed: list[int] = []

    def watched(letters: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        numbers, sound = text_shingles(letters)
        hashed.extend(numbers[sound].tolist())
        return numbers, sound

    sketches_of(cells, lambda letters: letters, watched, TEXT_SHINGLE)
    written = [cell[place : place + 8].encode() for cell in cells for place in range(len(cell) - 7)]
    assert hashed == [int.from_bytes(piece, "little") for piece in written]


def test_many_rows_are_hashed_in_blocks_as_they_are_alone() -> None:
    """More rows than a slice has, more letters than a block, and a text across the border of two blocks."""
    chance = random.Random(0)
    long = text(chance, 60_000)
    cells = [long, *(text(chance, 12) for _ in range(9000)), with_another_word(long, chance)]
    cells += cells[2000:2010]
    assert families(like_texts(pl.Series(cells))) == [[0, 9001], *([2000 + row, 9002 + row] for row in range(10))]


# In a fit


def reviews(rows: int = 80, near: int = 12) -> pl.DataFrame:
    """A number, a text that nothing reads yet, and a class; the last rows are the first with another word and class."""
    chance = random.Random(2)
    written = [text(chance) for _ in range(rows)]
    size = [chance.gauss(0, 1) for _ in range(rows)]
    frame = pl.DataFrame({"review": written, "size": size, "label": ["yes" if number > 0 else "no" for number in size]})
    again = frame[:near].with_columns(
        pl.Series("review", [with_another_word(one, chance) for one in written[:near]]), pl.col("size") + 0.25
    )
    return pl.concat([frame, again])


def promoters(rows: int = 80, near: int = 12) -> pl.DataFrame:
    """The same with sequences; the last rows are the reverse complements of the first."""
    chance = random.Random(3)
    bases = [sequence(chance) for _ in range(rows)]
    frame = reviews(rows, 0).drop("review").with_columns(pl.Series("bases", bases))
    again = pl.Series("bases", [reverse_complement(one) for one in bases[:near]])
    return pl.concat([frame, frame[:near].with_columns(again, pl.col("size") + 0.25)])


TABLES = {"review": reviews, "bases": promoters}


@pytest.mark.parametrize("column", TABLES)
def test_rows_that_are_nearly_the_same_stand_on_one_side_and_in_one_fold(column: str) -> None:
    rows = TABLES[column]()
    prepared, lesson = prepare_rows(open_rows(rows, Choices("label"), None), Choices("label"), None)
    split = prepared.plan.split
    assert (*split.near_texts, *split.near_sequences) == (column,)
    number = {written: row % 80 for row, written in enumerate(rows[column])}
    taught = [number[written] for written in prepared.rows.train[column]]
    assert not set(taught) & {number[written] for written in prepared.rows.test[column]}
    folds: dict[int, int] = {}
    for row, fold in zip(taught, lesson.folds.tolist(), strict=True):
        assert folds.setdefault(row, fold) == fold
    told = f"{column}: 24 rows are equal or nearly equal to another (12 groups): what is alike stays together."
    assert told in prepared.notes


@pytest.mark.parametrize("column", TABLES)
def test_rows_of_a_test_file_that_stand_in_the_training_file_are_counted(column: str) -> None:
    rows = TABLES[column]()
    train = pl.concat([rows[:80], rows[70:74].with_columns(size=pl.lit(9.0))])
    test = pl.concat([rows[74:], rows[3:5]])
    choices = Choices("label", test=test)
    prepared, lesson = prepare_rows(open_rows(train, choices, None), choices, None)
    seen = seen_rows(prepared.rows.train, prepared.rows.test, prepared.plan)
    assert seen.tolist() == [True] * 20
    equal = "8 of 20 test rows stand in the training rows too"
    assert (
        f"{equal}, and 12 of 20 test rows are nearly equal to a training row: the score is also given without them."
        in (prepared.notes)
    )
    numbers = {written: row for row, written in enumerate(train[column].unique(maintain_order=True))}
    folds: dict[int, int] = {}
    for written, fold in zip(train[column], lesson.folds.tolist(), strict=True):
        assert folds.setdefault(numbers[written], fold) == fold, "the folds keep them together, too"


@pytest.mark.parametrize("way", ["group", "time"])
def test_equal_rows_on_both_sides_of_a_split_that_was_asked_for_are_counted(way: str) -> None:
    """Rows of one number of thirty: the last of them are equal to rows of another group, and of an earlier day."""
    sizes = [number**1.5 for number in range(100)]
    frame = pl.DataFrame({"size": [*sizes, *sizes[:20]], "when": [number // 4 for number in range(120)]})
    frame = frame.with_columns(label=(pl.col("size").round() % 2).cast(pl.String))
    choices = Choices("label", group="when") if way == "group" else Choices("label", time="when")
    opened = open_rows(frame, choices, None)
    plan = prepare_rows(opened, choices, None)[0].plan
    plan = plan.model_copy(update={"columns": tuple(each for each in plan.columns if each.name != "when")})
    prepared, _ = prepare_rows(opened, choices, plan)
    taught = set(prepared.rows.train["size"])
    assert prepared.seen.tolist() == [size in taught for size in prepared.rows.test["size"]]
    assert prepared.seen.any()
    assert any(f"{int(prepared.seen.sum())} of {len(prepared.seen)} test rows stand" in note for note in prepared.notes)


@pytest.mark.parametrize("column", TABLES)
def test_rows_nearly_equal_across_groups_that_were_asked_for_are_counted(column: str) -> None:
    rows = TABLES[column]()
    rows = pl.concat([rows, rows[:40].with_columns(size=pl.lit(9.0))]).with_row_index("number")
    rows = rows.with_columns(person=pl.col("number") // 4).drop("number")
    choices = Choices("label", group="person")
    prepared, _ = prepare_rows(open_rows(rows, choices, None), choices, None)
    taught = set(prepared.rows.train[column])
    again = torch.tensor([written in taught for written in prepared.rows.test[column]])
    assert 0 < again.sum() < len(again)
    assert prepared.seen[again].all()
    assert not prepared.seen.all()
    assert any("nearly equal to a training row" in note for note in prepared.notes)
    assert not any("stays together" in note for note in prepared.notes)
    assert not set(prepared.rows.test["person"]) & set(prepared.rows.train["person"])


def test_a_test_row_does_not_link_two_training_rows() -> None:
    """A chain of windows, whose middle one is in the test file."""
    genome = sequence(random.Random(0), 200)
    frame = promoters(60, 0)
    chain = frame[:2].with_columns(pl.Series("bases", [genome[:100], genome[30:130]]))
    middle = frame[:1].with_columns(pl.Series("bases", [genome[15:115]]))
    train, test = pl.concat([frame, chain]), pl.concat([middle, frame[:9]])
    choices = Choices("label", test=test)
    prepared, _ = prepare_rows(open_rows(train, choices, None), choices, None)
    assert families(kin_of(pl.concat([train, middle]), prepared.plan.split)) == [[60, 61, 62]]
    assert not [note for note in prepared.notes if "stays together" in note]
    assert seen_rows(train, middle, prepared.plan).tolist() == [True]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        pytest.param(
            ["I would not stay here again, it was loud.", "A lovely place and a kind host!"], "text", id="text"
        ),
        pytest.param(["送餐速度很快味道也非常好下次再来", "等了两个小时才送到菜都凉了"], "text", id="Chinese"),
        pytest.param(["ACGTACGTTGCAACGTNNACGTA", "acgtuugcaacgtgggcatt"], "bases", id="sequences"),
        pytest.param(["ACGTACGTTGCA", "TTGCATGCAACG"], "bases", id="guides of sixteen bases"),
        pytest.param(["ACGTRYSWKMACGTTGCA", "TTGRYCATSWGCAACGGG"], "bases", id="sequences with doubtful bases"),
        pytest.param(["ACGTAC", "ACGTTT"], "", id="codes of a few bases"),
        pytest.param(["MKVLAAGIVGLLLAQPSWAEE", "MSTNPKPQRKTKRNTNRRPQD"], "", id="proteins"),
        pytest.param(["2024-03-01 12:00:00.000", "2024-03-02 12:00:00.000"], "", id="moments"),
        pytest.param(["https://a.example/room/123456", "https://a.example/room/98765"], "", id="addresses"),
        pytest.param(["Kelly, Mr. James", "Braund, Mr. Owen Harris"], "", id="names"),
        pytest.param(["very good", "not bad at all"], "", id="phrases"),
    ],
)
def test_which_columns_are_compared_by_likeness(cells: list[str], found: str) -> None:
    rows = pl.DataFrame({"cells": cells * 20, "target": ["yes", "no"] * 20})
    numbered = rows.with_columns(
        pl.col("cells") + pl.Series(["".join(random.Random(row).choices("acgt", k=4)) for row in range(40)])
    )
    compared = compared_by_likeness(numbered, "target")
    expected = {"text": (("cells",), ()), "bases": ((), ("cells",)), "": ((), ())}[found]
    assert (compared["near_texts"], compared["near_sequences"]) == expected
    assert compared_by_likeness(numbered.cast({"cells": pl.Categorical}), "target") == compared
    assert not any(compared_by_likeness(numbered, "cells").values()), "the target is not compared"
    assert not any(compared_by_likeness(rows, "target").values()), "what comes again and again is no sign"


def test_a_column_that_a_followed_plan_compares_and_the_table_lacks_is_refused_by_name() -> None:
    prepared, _ = prepare_rows(open_rows(reviews(), Choices("label"), None), Choices("label"), None)
    rows = reviews().rename({"review": "revue"})
    with pytest.raises(Refused, match=re.escape("has no column 'review'; did you mean 'revue'?")):
        prepare_rows(open_rows(rows, Choices("label"), prepared.plan), Choices("label"), prepared.plan)


CASES = {
    "texts by chance": (reviews(), Choices("label")),
    "sequences by chance": (promoters(), Choices("label")),
    "both by chance": (reviews().with_columns(promoters()["bases"]), Choices("label")),
    "by time": (reviews().with_columns(promoters()["bases"]), Choices("label", time="size")),
    "sequences, no test": (promoters(), Choices("label", test=0.0)),
    "texts, no test": (reviews(), Choices("label", test=0.0)),
    "sequences alone, no test": (promoters().select("bases", "label"), Choices("label", test=0.0)),
    "sequences alone, to numbers": (
        promoters().select("bases", size=pl.col("size").cast(pl.Float64) * 1.37),
        Choices("size"),
    ),
    "a test file": (reviews(), Choices("label", test=reviews()[5:30])),
}


@pytest.mark.parametrize("case", CASES)
def test_the_script_keeps_the_same_rows_together_and_fits_the_same_model(
    case: str, fit: Fit, bare: Bare, tmp_path: Path
) -> None:
    rows, choices = CASES[case]
    rows.write_parquet(tmp_path / "rows.parquet")
    run = fit(tmp_path / "rows.parquet", choices, keep="network", out=tmp_path / "run")
    script = (tmp_path / "run" / "train.py").read_text()
    assert ("like_texts(" in script, "like_sequences(" in script) == ("review" in rows.columns, "bases" in rows.columns)
    assert max(len(line) for line in script.splitlines() if "kin" in line or "ALIKE" in line) <= 120
    said, fault = bare(tmp_path / "run" / "train.py")
    assert fault == ""
    assert said.endswith("the same model, to the last bit\n")
    assert run.predictor.plan.split.near_texts == (("review",) if "review" in rows.columns else ())
