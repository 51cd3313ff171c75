"""What a column is taken for, what is left out, and what is predicted: examples as people have them."""

from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from firstlight.data.sources import read
from firstlight.kinds.category import MOST_WORDS
from firstlight.kinds.dna import DnaSettings
from firstlight.kinds.text import TEXT
from firstlight.plan import budget
from firstlight.plan.deciding import decide, decide_column, decide_target, split_reasons
from firstlight.plan.plan import LEFT_OUT, Plan, Source, Split, Target, Task
from firstlight.refusal import Refused

ROWS = 40
LABELS = pl.Series("answer", ["yes", "no", "no", "yes", "no"] * (ROWS // 5))
AMOUNTS = pl.Series("answer", [((number * 37) % 101) / 7 for number in range(ROWS)])
SOURCE = Source(location="t.csv", name="t", reader="csv", paths=("t.csv",), options={}, copied=False)
CHANCE = Split(way="chance", share=0.2)


def cells(*values: object, dtype: Any = None) -> pl.Series:
    """A column of 40 cells: the values again and again, in an order of chance."""
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(2)) % len(values)
    return pl.Series("cell", [values[place] for place in order.tolist()], dtype=dtype, strict=False)


def numbered(form: str) -> pl.Series:
    return pl.Series("cell", [form.format(number) for number in range(ROWS)])


def drawn(words: list[str], between: str, fewest: int, most: int) -> list[str]:
    """Forty cells, each of so many of the words by chance."""
    chance = random.Random(4)
    return [between.join(chance.choices(words, k=chance.randint(fewest, most))) for _ in range(ROWS)]


# A column, the kind it is taken for, and the reason that is given.
COLUMNS = {
    "numbers as text": (cells("1.5", "2", "3.25"), "number", "100 % of its cells are numbers"),
    "numbers with stray words": (cells(*map(str, range(19)), "unknown"), "number", "95 % of its cells are numbers"),
    "typed numbers": (cells(1.5, 2.0, None), "number", "its cells are numbers"),
    "money": (cells("$1,200", "$3.50", "$7"), "number", "100 % of its cells are numbers with a unit or a currency"),
    "few whole numbers": (cells(1, 2, 3), "number", "its cells are numbers"),
    "words": (cells("Biscoe", "Dream", None), "category", "2 different words"),
    "codes with leading zeros": (cells("01234", "00501"), "category", "2 different words"),
    "yes and no": (cells("yes", "no"), "boolean", "its cells are no or yes"),
    "0 and 1": (cells(0, 1), "boolean", "its cells are 0 or 1"),
    "true and false": (cells(True, False), "boolean", "its cells are true or false"),
    "dates": (cells("2024-02-29", "1999-12-31"), "date", "its cells are dates such as 1999-12-31"),
    "typed dates": (cells(datetime.date(2024, 2, 29), datetime.date(2023, 1, 1)), "date", "its cells are dates"),
    "years": (cells("1999", "2024", "2012"), "number", "100 % of its cells are numbers"),
    "different dates": (
        pl.Series("cell", [f"2024-01-{1 + number % 31:02d} {number % 24:02d}:00" for number in range(ROWS)]),
        "date",
        "its cells are dates such as 1999-12-31 23:59",
    ),
    "different amounts": (pl.Series("cell", [number**1.5 for number in range(ROWS)]), "number", "its cells are num"),
    "different large numbers": (
        pl.Series("cell", [1000 * number**2 for number in range(ROWS)]), "number", "its cells are numbers",
    ),
    "gaps alone": (cells(None, dtype=pl.String), LEFT_OUT, "empty: every training cell is a gap"),
    "constant": (cells("a"), LEFT_OUT, "constant: always 'a'"),
    "one value or none": (cells("x", None), "category", "1 different words"),
    "row numbers": (pl.Series("cell", range(ROWS)), LEFT_OUT, "an identifier: 40 different whole numbers in 40"),
    "row numbers as text": (numbered("{}"), LEFT_OUT, "an identifier: 40 different whole numbers in 40"),
    "keys": (numbered("user-{}"), LEFT_OUT, "an identifier: 40 different values in 40 training rows"),
    "sentences": (numbered("this is what was written about case {}"), "text", "7 words a cell, on average, and many"),
    "figures apart": (numbered("{0} 17 {0}4 19 {0} 3"), LEFT_OUT, "an identifier: 40 different values in 40 training"),
    "lists of figures": (
        pl.Series("cell", [f"[{number}.5, 2.25, {number}.1, 7.0, 3.25]" for number in range(30)] + [None] * 10),
        LEFT_OUT,
        "its cells differ and hold figures and signs, hardly any words",
    ),
    "DNA": (pl.Series("cell", drawn(list("ACGT"), "", 60, 60)), "dna", "sequences of 60 bases"),
    "lists": (pl.Series("cell", [[1, 2]] * ROWS), LEFT_OUT, "its cells (List(Int64)) are of no kind that is read"),
    "bytes": (cells(b"\xff", b"\x00"), LEFT_OUT, "its cells (Binary) are of no kind that is read"),
    "lengths of time": (cells(datetime.timedelta(1), datetime.timedelta(2)), LEFT_OUT, "its cells (Duration("),
    "times of day": (cells(datetime.time(1), datetime.time(2)), LEFT_OUT, "its cells (Time) are of no kind that is"),
    "the target itself": (LABELS.alias("cell"), LEFT_OUT, "a copy of 'answer'"),
}  # fmt: skip


@pytest.mark.parametrize("example", COLUMNS)
def test_each_column_is_taken_for_what_it_is_and_the_reason_is_given(example: str) -> None:
    column, kind, reason = COLUMNS[example]
    decision = decide_column(column, LABELS, Target(column="answer", task="classification"))
    assert (decision.column.kind, decision.reason[: len(reason)]) == (kind, reason)


WORDS = "the a film plot actor story good bad was is very really not never great dull long short but and it I".split()
GOODS = "black white red blue leather cotton shoe shirt phone case cover large".split()
FIRST = "Anna Ben Carl Dora Emil Fay Gus Hal Ida Jon".split()
LAST = "Müller Schmidt Weber Wagner Becker Hoffmann Koch Richter Klein Wolf Neumann Braun Zimmermann Hartmann".split()
THINGS = ["Wifi", "Kitchen", "Heating", "TV", "Iron", "Hair dryer", "Pool", "Gym"]
SURVEY = ["I am very satisfied with the service", "I am not satisfied with it at all", "I neither like it nor do not"]


def of_each(form: Callable[[random.Random, int], str | None]) -> list[str | None]:
    chance = random.Random(7)
    return [form(chance, number) for number in range(ROWS)]


# Columns of words as people have them, and what each is taken for.
WRITTEN: dict[str, tuple[str, list[Any]]] = {
    "sentences": ("text", drawn(WORDS, " ", 6, 20)),
    "tweets": ("text", [f"@anna {text} #film 😂 https://t.co/x1" for text in drawn(WORDS, " ", 2, 9)]),
    "Chinese reviews": ("text", drawn(list("这家店的外卖味道很好送餐快量足下次还会再来"), "", 8, 40)),
    "Chinese names": (LEFT_OUT, drawn(list("李明王伟张丽刘洋陈静杨帆赵敏黄磊周杰吴"), "", 3, 3)),
    "Japanese": ("text", drawn(list("この店のラーメンはとても美味しかったです"), "", 12, 40)),
    "Thai": ("text", drawn(list("อาหารอร่อยมากบริการดีราคาไม่แพงส่งช้า"), "", 15, 40)),
    "Korean": ("text", drawn("배송이 빠르고 좋아요 너무 느려요 맛있는 음식 다시 주문".split(), " ", 5, 9)),
    "Arabic": ("text", drawn("كان الفيلم رائعا جدا سيئا لم يعجبني القصة طويلة".split(), " ", 5, 9)),
    "titles of goods that share words": ("text", drawn(GOODS, " ", 3, 5)),
    "hashtags": ("text", drawn([f"#{word}" for word in GOODS], " ", 3, 6)),
    "lists of things": ("text", [f'["{text}"]' for text in drawn(THINGS, '", "', 2, 7)]),
    "lists of things without blanks": ("text", drawn(["Wifi", "TV", "Pool", "Gym", "Iron", "Desk"], ",", 3, 7)),
    "names with titles": (
        "text",
        of_each(lambda chance, _: f"{chance.choice(LAST)}, {chance.choice(['Mr.', 'Mrs.'])} {chance.choice(FIRST)} J."),
    ),
    "addresses in full": (
        "text", of_each(lambda chance, number: f"{number} High Street, Flat B, {chance.choice(LAST)}, New York, USA"),
    ),
    "lines of a log": ("text", of_each(lambda _, number: f"12:{number} ERROR worker {number} could not open file")),
    "answers of which half are stock phrases": (
        "text", [SURVEY[0] if number % 3 == 0 else text for number, text in enumerate(drawn(WORDS, " ", 6, 12))],
    ),
    "few remarks, else empty": (
        "text", [text if number % 10 == 0 else None for number, text in enumerate(drawn(WORDS, " ", 6, 20))],
    ),
    "few remarks, else the empty word": (
        "text", [text if number % 10 == 0 else "" for number, text in enumerate(drawn(WORDS, " ", 6, 20))],
    ),
    "answers of a survey": ("category", drawn(SURVEY, "", 1, 1)),
    "one sentence or none": ("category", of_each(lambda _, number: SURVEY[0] if number % 2 else None)),
    "one sentence": (LEFT_OUT, SURVEY[:1] * ROWS),
    "first and last names": (LEFT_OUT, of_each(lambda _, number: f"{FIRST[number % 10]} {LAST[number // 10]}{number}")),
    "words of one or two": ("category", drawn(GOODS, " ", 1, 2)),
    "emoji": ("category", drawn(list("😀😂😭🔥👍"), "", 1, 2)),
    "e-mail addresses": (LEFT_OUT, of_each(lambda chance, number: f"{chance.choice(FIRST)}.{number}@mail.example.com")),
    "addresses of pages": (LEFT_OUT, of_each(lambda _, number: f"https://example.com/shop/item/{number}?ref=a&page=2")),
    "UUIDs": (LEFT_OUT, of_each(lambda chance, _: str(uuid.UUID(int=chance.getrandbits(128))))),
    "paths": (LEFT_OUT, of_each(lambda _, number: f"/data/images/2024/summer/img_{number}.png")),
    "keys": (LEFT_OUT, of_each(lambda _, number: f"user-{number}")),
    "keys of words": (LEFT_OUT, of_each(lambda _, number: f"case number {number}")),
    "codes": (LEFT_OUT, of_each(lambda chance, number: f"A{number}-{chance.randint(1000, 9999)}-X")),
    "number plates": (LEFT_OUT, of_each(lambda chance, number: f"B {chance.choice('ABC')}F {1000 + number}")),
    "telephone numbers": (LEFT_OUT, of_each(lambda chance, number: f"+49 170 {chance.randint(1000, 9999)} {number}")),
    "bank accounts": (LEFT_OUT, of_each(lambda _, number: f"DE32 5329 1627 3057 {5000 + number} 39")),
    "places on a map": (LEFT_OUT, of_each(lambda chance, _: f"{chance.uniform(-9, 9):.5f}, {chance.random():.5f}")),
    "vectors": (LEFT_OUT, of_each(lambda chance, _: str([round(chance.gauss(0, 1), 4) for _ in range(8)]))),
    "versions": (LEFT_OUT, of_each(lambda chance, number: f"1.{number}.{chance.randint(0, 99)}")),
    "dates in words": ("date", of_each(lambda _, number: f"May {1 + number % 28}, {1980 + number}")),
    "numbers with a unit": ("number", of_each(lambda _, number: f"{number * number} kg")),
}  # fmt: skip


@pytest.mark.parametrize("example", WRITTEN)
def test_columns_of_words_are_taken_for_text_where_somebody_wrote_them_and_not_where_they_are_keys(
    example: str,
) -> None:
    kind, values = WRITTEN[example]
    column = pl.Series("cell", values, dtype=pl.String)
    decision = decide_column(column, LABELS, Target(column="answer", task="classification"))
    assert (decision.column.kind, bool(decision.reason)) == (kind, True)


BASES, AMINO_ACIDS = list("ACGT"), list("ACDEFGHIKLMNPQRSTVWY")
SEQUENCES = drawn(BASES, "", 60, 60)
# Columns of sequences, and of what looks like them: what each is taken for, and why.
STRANDS: dict[str, tuple[str, str, list[Any]]] = {
    "DNA of one length": ("dna", "sequences of 60 bases", SEQUENCES),
    "DNA of many lengths": (
        "dna", "sequences of 18 to 80 bases", ["ACGTTG" * 3, "ACGT" * 20, *drawn(BASES, "", 18, 80)[:38]],
    ),
    "DNA in lower case": ("dna", "sequences of 60 bases", [text.lower() for text in SEQUENCES]),
    "DNA masked in part": ("dna", "sequences of 60 bases", [text[:20] + text[20:].lower() for text in SEQUENCES]),
    "DNA with gaps": ("dna", "sequences of 70 bases", [f"{text[:9]}-----{text[9:]}....." for text in SEQUENCES]),
    "DNA with runs of N": ("dna", "sequences of 80 bases", [f"{text}{'N' * 20}" for text in SEQUENCES]),
    "DNA with doubtful bases": ("dna", "sequences of 71 bases", [f"{text}RYSWKMBDHVN" for text in SEQUENCES]),
    "DNA written in blocks": ("dna", "sequences of 60 bases", [f" {text[:10]} {text[10:]}\n" for text in SEQUENCES]),
    "RNA": ("dna", "sequences of 60 bases", [text.replace("T", "U") for text in SEQUENCES]),
    "few sequences that come again": ("dna", "sequences of 60 bases", SEQUENCES[:2] * 20),
    "guides of 20": ("dna", "sequences of 20 bases", drawn(BASES, "", 20, 20)),
    "DNA or nothing": ("dna", "sequences of 60 bases", [*SEQUENCES[:20], *[None, ""] * 10]),
    "DNA with one odd cell": ("dna", "sequences of 60 bases", [*SEQUENCES[:39], "see the notes, page 7"]),
    "DNA with an odd letter in one cell": ("dna", "sequences of 60 bases", [*SEQUENCES[:39], "ACGTJ" * 12]),
    "DNA longer than is read": (
        "dna", "sequences of 2004 to 3003 bases, of which the first 2000 are read",
        ["ACG" * 1001, "ACGG" * 501, *(text * 40 for text in SEQUENCES[:38])],
    ),
    "three letters": ("category", "28 different words", drawn(BASES, "", 3, 3)),
    "words of these letters": ("category", "3 different words", ["CAT", "TAG", "GATTACA"] * 13 + ["CAT"]),
    "codes of these letters": (LEFT_OUT, "an identifier", [f"{text[:8]}" for text in SEQUENCES]),
    "shorter than sixteen": (LEFT_OUT, "an identifier", drawn(BASES, "", 15, 15)),
    "A alone": ("category", "3 different words", ["A" * 20, "A" * 24, "A" * 30] * 13 + ["A" * 20]),
    "N alone": ("category", "2 different words", ["N" * 20, "N" * 24] * 20),
    "doubtful letters mostly": (LEFT_OUT, "an identifier", drawn(list("RYKMBDHVNACG"), "", 20, 20)),
    "odd cells, too many": (LEFT_OUT, "an identifier", [*SEQUENCES[:37], *drawn(list("XYZQJ"), "", 20, 20)[:3]]),
    "proteins": (LEFT_OUT, "protein sequences, which are not read", drawn(AMINO_ACIDS, "", 50, 300)),
    "proteins in lower case": (
        LEFT_OUT, "protein sequences, which are not read", [each.lower() for each in drawn(AMINO_ACIDS, "", 16, 30)],
    ),
    "a few proteins that come again": ("category", "2 different words", drawn(AMINO_ACIDS, "", 50, 60)[:2] * 20),
    "long words": (LEFT_OUT, "an identifier", drawn("über wind kraft fahrt dampf schiff gesell".split(), "", 5, 9)),
    "keys of capital letters": (LEFT_OUT, "an identifier", drawn(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "", 20, 30)),
}  # fmt: skip


@pytest.mark.parametrize("example", STRANDS)
def test_columns_of_sequences_are_taken_for_dna_and_words_keys_and_proteins_are_not(example: str) -> None:
    kind, reason, values = STRANDS[example]
    column = pl.Series("cell", values, dtype=pl.String)
    decision = decide_column(column, LABELS, Target(column="answer", task="classification"))
    assert (decision.column.kind, decision.reason[: len(reason)]) == (kind, reason)
    if kind == "dna":
        assert isinstance(decision.column.settings, DnaSettings)
        assert decision.column.settings.equal == (" to " not in reason)
        assert str(min(decision.column.settings.length, 2000)) in reason


# Columns of words as people have them: table, column, the kind it is taken for, and the reason that is given.
REAL_COLUMNS = [
    ("airbnb_hong_kong", "name", "text", "10 words a cell, on average, and many cells differ"),
    ("airbnb_hong_kong", "amenities", "text", "27 words a cell, on average, and many cells differ"),
    ("airbnb_hong_kong", "host_location", "category", "147 different words"),  # "Paris, Ile-de-France, France"
    ("airbnb_hong_kong", "property_type", "category", "72 different words"),
    ("airbnb_hong_kong", "host_since", "date", "its cells are dates such as 1999-12-31"),
    ("ames", "Neighborhood", "category", "28 different words"),
    ("telco_churn", "customerID", LEFT_OUT, "an identifier: 5 000 different values in 5 000 training rows"),
    ("telco_churn", "PaymentMethod", "category", "4 different words"),  # "Bank transfer (automatic)"
    ("titanic", "Name", "text", "4 words a cell, on average, that come again in other cells"),  # and so do titles
    ("titanic", "Ticket", "category", "555 different words"),  # "A/5 21171": families share one
    ("titanic", "Cabin", "category", "122 different words"),
    ("wildlife_strikes", "remarks", "text", "12 words a cell, on average, and many cells differ"),
    ("wildlife_strikes", "operator", "category", "175 different words"),  # "AMERICAN AIRLINES"
    ("wildlife_strikes", "species", "category", "120 different words"),  # "UNKNOWN BIRD - MEDIUM"
    ("wildlife_strikes", "date", "date", "its cells are dates such as 12/31/1999 23:59:58 (month first)"),
]


@pytest.mark.parametrize(("table", "column", "kind", "reason"), REAL_COLUMNS)
def test_columns_of_real_tables_are_what_a_person_takes_them_for(
    table: str, column: str, kind: str, reason: str, shared: Path
) -> None:
    cells = read(shared / "data" / "table" / f"{table}.train.parquet").frame[column][:5000]
    labels = pl.Series("answer", [("yes", "no")[place % 2] for place in range(len(cells))])
    decision = decide_column(cells, labels, Target(column="answer", task="classification"))
    assert (decision.column.kind, decision.reason) == (kind, reason)


def test_dna_is_dna_whatever_type_holds_it_and_whatever_its_column_is_called() -> None:
    for dtype in (pl.String, pl.Categorical):
        column = pl.Series('a "b"\n{x} é #', SEQUENCES, dtype=dtype)
        decision = decide_column(column, LABELS, Target(column="answer", task="classification"))
        assert decision.column.kind == "dna"


def test_text_is_text_whatever_type_holds_it_and_whatever_its_column_is_called() -> None:
    for dtype in (pl.String, pl.Categorical):
        column = pl.Series('a "b"\n{x} é #', drawn(WORDS, " ", 6, 20), dtype=dtype)
        decision = decide_column(column, LABELS, Target(column="answer", task="classification"))
        assert decision.column.kind == "text"


def test_long_answers_that_come_again_are_text_where_they_are_more_than_a_category_tells_apart() -> None:
    for different, kind in ((MOST_WORDS, "category"), (MOST_WORDS + 1, "text")):
        column = pl.Series(
            "cell", [f"one of {place % different} stock phrases that come again" for place in range(1000)]
        )
        labels = pl.Series("answer", ["yes", "no"] * 500)
        decision = decide_column(column, labels, Target(column="answer", task="classification"))
        assert decision.column.kind == kind


def test_with_few_rows_that_all_cells_differ_says_little() -> None:
    decision = decide_column(numbered("user-{}")[:19], LABELS[:19], Target(column="answer", task="classification"))
    assert decision.column.kind == "category"


TARGETS: dict[str, tuple[pl.Series, Task, str]] = {
    "words": (cells("a", "b", "c"), "classification", "3 different words"),
    "two numbers": (cells(3.5, 7.25), "classification", "two different values"),
    "booleans": (cells(True, False), "classification", "2 different words"),
    "classes from 0": (cells(0, 1, 2), "classification", "whole numbers from 0 to 2: taken as classes (--task regr"),
    "classes from 1 as text": (cells("1", "2", "3"), "classification", "whole numbers from 1 to 3: taken as classes"),
    "grades from 3": (cells(3, 4, 5), "regression", "numbers, 3 different ones"),
    "whole numbers with a hole": (cells(0, 1, 3), "regression", "numbers, 3 different ones"),
    "many whole numbers": (cells(*range(11)), "regression", "numbers, 11 different ones"),
    "amounts": (AMOUNTS, "regression", "numbers, 40 different ones"),
    "money": (cells("$1.50", "$2", "$3"), "regression", "numbers, 3 different ones"),
    "codes": (cells("01", "02", "03"), "classification", "3 different words"),
}


@pytest.mark.parametrize("example", TARGETS)
def test_the_task_is_decided_by_the_target_and_the_reason_is_given(example: str) -> None:
    column, task, reason = TARGETS[example]
    target, why = decide_target(column, "answer", None)
    assert (target.task, why[: len(reason)]) == (task, reason)
    assert bool(target.read) == (task == "regression")


def test_a_person_may_overrule_the_task() -> None:
    assert decide_target(cells(0, 1, 2), "answer", "regression")[0].task == "regression"
    assert decide_target(cells(0.5, 1.5, 2.5), "answer", "classification")[0].task == "classification"


@pytest.mark.parametrize(
    ("column", "task", "sentence"),
    [
        (cells("a"), None, r"column 'answer' is the same in every row ('a'); there is nothing to predict."),
        (cells("a", "b"), "regression", "column 'answer' holds words such as 'a', not numbers; predict it with --task"),
        (numbered("user-{}"), None, "column 'answer' has 40 different values in 40 rows: too many to be classes."),
        (AMOUNTS, "classification", "too many to be classes; predict it as a number with --task regression."),
        (pl.Series([[1], [2]] * 20), None, "column 'answer' cannot be predicted: its cells (List(Int64)) are neither"),
        (cells(b"\xff", b"\x00"), None, "column 'answer' cannot be predicted: its cells (Binary) are neither words"),
    ],
    ids=["constant", "words as numbers", "keys", "amounts as classes", "lists", "bytes"],
)
def test_a_target_that_cannot_be_predicted_is_refused(column: pl.Series, task: Task | None, sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        decide_target(column, "answer", task)
    assert sentence in str(caught.value)


def decided(rows: pl.DataFrame, split: Split = CHANCE, seconds: float | None = None) -> Plan:
    return decide(rows, "answer", task=None, source=SOURCE, test_source=None, split=split, seconds=seconds, seed=3)


def test_a_plan_names_every_column_but_the_target_with_a_reason() -> None:
    rows = pl.DataFrame([cells("a", "b"), LABELS, cells(1, 2, 3).alias("size"), cells("x").alias("same")])
    plan = decided(rows)
    assert [(column.name, column.kind) for column in plan.columns] == [
        ("cell", "category"), ("size", "number"), ("same", LEFT_OUT),
    ]  # fmt: skip
    assert all(plan.reasons[f"columns.{column.name}"] for column in plan.columns)
    assert plan.inputs == ("cell", "size")
    assert [kind.name for kind in plan.kinds] == ["number", "category"]
    assert plan.of_kind(plan.kinds[0]).keys() == {"size"}


def test_a_text_gets_the_parts_that_read_it_and_the_other_columns_theirs() -> None:
    written = pl.Series("cell", drawn(WORDS, " ", 6, 20))
    alone = decided(pl.DataFrame([written, LABELS]))
    assert alone.network is None
    assert {"words", "counts", "letters"} <= set(alone.parts) <= {part.name for part in TEXT.parts}
    mixed = decided(pl.DataFrame([written, LABELS, cells(1, 2, 3).alias("size")]))
    assert mixed.network is not None
    assert mixed.parts == alone.parts
    assert (alone.fitting.folds, mixed.fitting.folds) == (4, 4)
    numbers = decided(pl.DataFrame([written, AMOUNTS]))
    assert "counts" not in numbers.parts, "there are no classes in which words could be counted"
    assert decided(pl.DataFrame([cells("a", "b"), LABELS])).parts == {}


def test_a_few_sequences_are_not_left_to_one_thread_as_a_small_table_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(budget.torch, "get_num_threads", lambda: 6)  # type: ignore[attr-defined]
    bases, sizes = pl.Series("cell", SEQUENCES), cells(1, 2, 3).alias("size")
    for columns, threads in (([bases], 6), ([bases, sizes], 6), ([sizes], 1)):
        assert decided(pl.DataFrame([*columns, LABELS]), seconds=0.01).fitting.threads == threads


def test_with_many_classes_fewer_pieces_have_weights() -> None:
    rows = pl.DataFrame({"cell": drawn(WORDS, " ", 9, 20), "answer": [f"c{place % 20}" for place in range(40)]})
    few = decided(rows.with_columns(answer=pl.Series(["a", "b"] * 20))).parts["words"].model_dump()
    many = decided(rows).parts["words"].model_dump()
    assert many["most"] * 20 <= few["most"]


def test_the_same_rows_give_the_same_plan() -> None:
    rows = pl.DataFrame([cells("a", "b"), LABELS, cells(1, 2, 3).alias("size")])
    assert decided(rows) == decided(rows)


def test_the_column_of_the_group_is_not_learned_from() -> None:
    rows = pl.DataFrame([cells("a", "b"), LABELS, cells("x", "y", "z").alias("farm")])
    plan = decided(rows, Split(way="group", share=0.2, column="farm"))
    assert plan.inputs == ("cell",)
    assert plan.reasons["columns.farm"] == "it groups the rows"


def test_where_no_column_is_left_the_refusal_says_why() -> None:
    rows = pl.DataFrame([cells("a"), LABELS, numbered("k{}").alias("key")])
    with pytest.raises(Refused, match=r"^t: no column is left to predict 'answer' from \(cell: constant: always 'a'; "):
        decided(rows)


def test_each_way_to_part_the_rows_has_its_reason() -> None:
    for way in ("chance", "time", "group", "file", "none"):
        assert split_reasons(Split(way=way, share=0.2))["split.way"]


def test_a_fit_with_every_size_of_table_holds_each_fold_out_by_some_member() -> None:
    for rows in (10, 16, 100):
        table = pl.DataFrame([cells("a", "b"), LABELS])
        plan = decided(table.sample(rows, with_replacement=True, seed=0))
        assert plan.network is not None
        assert 2 <= plan.fitting.folds <= plan.network.members


def test_of_texts_longer_than_are_read_it_is_told() -> None:
    cells = pl.Series([*["one and another " * 4000] * 3, *[f"a few words {number} and more" for number in range(37)]])
    claim = TEXT.claim(cells)
    assert claim is not None
    assert claim.reason.endswith("; of 3 cells the first 50 000 letters are read")
    claim = TEXT.claim(cells[3:])
    assert claim is not None
    assert "letters are read" not in claim.reason
