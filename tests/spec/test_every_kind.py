"""What every kind of column promises. A new kind gets all of this for a few example cells in the table below."""

from __future__ import annotations

import datetime
import random
import subprocess
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from firstlight.kinds.all_kinds import KINDS, kind_named
from firstlight.kinds.boolean import BOOLEAN
from firstlight.kinds.kind import Aim, Kind, KindPart
from firstlight.model.encoding import oddities
from firstlight.model.predictor import LINE, NETWORK
from firstlight.plain.targets import member_log_losses, member_squared_errors
from firstlight.plan.deciding import decide_column
from firstlight.plan.plan import Target
from firstlight.store.model_file import load_model
from firstlight.store.run import Run
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit

DAY = datetime.datetime(2024, 2, 29, 23, 30)
ODD_TEXTS = (
    "I loved every 😀 minute of it", "a family 👨‍👩‍👧 outing, and a good one", "cafe\u0301 fare: na\u00efve but good",
    "لم يعجبني هذا الفيلم", "הסרט הזה היה טוב", "good<br /><br />film, <b>bad</b> end &amp; cast",
    "one line\nand\n\nanother\tone", "NOT GOOD!!! NOT AT ALL!!!", "x" * 300 + " and the end",
    "It's 20 % off -> good, isn't it?", "nul\x00byte in the story", '"quoted", {braced} \\n and not',
)  # fmt: skip


ENGLISH = "the a film was good bad not very it and story cast end long dull"
STRANGE_TEXTS = ("", " ", "?!", "😀", "Ünbekannt", "\u200b", "word " * 20_000, "猫", "<br />")


def sentences(words: list[str], between: str) -> tuple[str, ...]:
    """Seventy different texts of 9 to 12 words by chance."""
    chance = torch.Generator().manual_seed(0)
    places = [torch.randint(len(words), (9 + number % 4,), generator=chance).tolist() for number in range(70)]
    return tuple(between.join(words[place] for place in each) for each in places)


def bases(shortest: int, longest: int) -> tuple[str, ...]:
    """Seventy sequences by chance, one of them in lower case and one with gaps in it."""
    chance = random.Random(0)
    drawn = ["".join(chance.choices("ACGT", k=chance.randint(shortest, longest))) for _ in range(68)]
    return (*drawn, drawn[0][1:].lower() + "t", "NN" + drawn[1][2:])


def pixels(*shape: int) -> tuple[object, ...]:
    """Seventy different pictures or videos by chance."""
    return tuple(np.random.default_rng(0).integers(0, 255, (70, *shape), dtype=np.uint8))


@dataclass(frozen=True)
class Column:
    """A column of a kind: cells as they stand in a table, and cells that no training row has."""

    kind: str
    cells: tuple[object, ...]
    unseen: tuple[object, ...]


COLUMNS = {
    "number, typed": Column("number", (1.5, -2.0, 1e9, 0.0, 3.25), (7.0, 1e300, float("inf"))),
    "number, whole": Column("number", (1, 2, 3, 10**12, -5), (7, -(10**18))),
    "number, text": Column("number", ("39.1", " 4", "-1e3", "0.5", "7"), ("8.5", "many", "1e999")),
    "number, decimal comma": Column("number", ("39,1", "4,25", "1.000,5"), ("8,5", "many")),
    "number, with a unit": Column("number", ("3 kg", "4.5 kg", "10 kg"), ("8 kg", "heavy")),
    "category": Column("category", ("Biscoe", "Dream", "Ünal 猫", "a,b\n'"), ("Torgersen",)),
    "category, codes": Column("category", ("01234", "00501", "04109"), ("99999",)),
    "boolean, typed": Column("boolean", (True, False), ()),
    "boolean, text": Column("boolean", ("yes", "no"), ("maybe",)),
    "boolean, numbers": Column("boolean", (0, 1), (2,)),
    "date, typed": Column("date", (DAY, datetime.datetime(1969, 1, 1)), (datetime.datetime(2200, 1, 1),)),
    "date, ISO": Column("date", ("2024-02-29", "1969-01-01", "2023-12-31"), ("2200-01-01", "2023-02-30")),
    "date, German": Column("date", ("29.02.2024", "01.01.1969"), ("31.12.2024", "soon")),
    "text": Column("text", (*ODD_TEXTS, *sentences(ENGLISH.split(), " ")), STRANGE_TEXTS),
    "text, Chinese": Column("text", sentences(list("这家店的外卖味道很好送餐快量足"), ""), STRANGE_TEXTS),
    "DNA": Column("dna", bases(60, 60), ("ACGTN" * 12, "acgu" * 9)),
    "DNA of many lengths": Column("dna", bases(20, 90), ("ACGTRYKM" * 40, "A")),
    "DNA, lower case with gaps": Column(
        "dna", tuple(f"{cell[:9]}--{cell[9:].lower()}..NN" for cell in bases(30, 50)), ("-" * 40, "no DNA", "ac gt\n")
    ),
    "pictures": Column("image", pixels(18, 24, 3), (np.zeros((18, 24, 3), np.uint8),)),
    "pictures, grey and tiny": Column("image", pixels(6, 5, 1), (np.full((6, 5, 1), 255, np.uint8),)),
    "videos": Column("video", pixels(6, 16, 24, 3), (np.zeros((6, 16, 24, 3), np.uint8),)),
}
EVERY_COLUMN = pytest.mark.parametrize("name", COLUMNS)


def series_of(cells: Sequence[object]) -> pl.Series:
    """The cells as a column, pictures and videos as arrays of pixels."""
    stacked = np.stack(cells) if isinstance(cells[0], np.ndarray) else cells  # type: ignore[arg-type]
    return pl.Series("cell", stacked, strict=False)


def with_a_gap(cells: Sequence[object]) -> pl.DataFrame:
    """A row for each cell, and one for a gap."""
    known = series_of(cells) if cells else pl.Series("cell", [], dtype=pl.Boolean)
    return pl.concat([known, known.clear(1)]).to_frame()


def backwards(rows: pl.DataFrame) -> pl.DataFrame:
    """The last row first; polars cannot reverse arrays itself."""
    return rows[list(range(len(rows) - 1, -1, -1))]


def rows_of(name: str, rows: int = 60) -> pl.DataFrame:
    """A table of one input column, with a gap here and there, and of two classes that depend on it a little."""
    cells = series_of(COLUMNS[name].cells)
    chosen = pl.Series("cell", torch.randint(len(cells), (rows,), generator=torch.Generator().manual_seed(1)).numpy())
    answers = ["low" if place < len(cells) / 2 else "high" for place in chosen]
    answers[::7] = ["high"] * len(answers[::7])
    gaps = pl.int_range(rows, eager=True) % 11 == 5
    column = cells.gather(chosen).to_frame().select(pl.when(gaps).then(None).otherwise("cell").alias("cell"))
    return column.with_columns(pl.Series("answer", answers))


def kind_and_settings(name: str) -> tuple[Kind[Any], Mapping[str, Any]]:
    kind = kind_named(COLUMNS[name].kind)
    claim = kind.claim(rows_of(name)["cell"])
    assert claim is not None
    return kind, {"cell": claim.settings}


def encoded(name: str, rows: pl.DataFrame, learned_from: pl.DataFrame | None = None) -> Tensor:
    kind, columns = kind_and_settings(name)
    return kind.encode(rows, columns, kind.learn(rows_of(name) if learned_from is None else learned_from, columns))


def features(name: str, taught: pl.DataFrame, rows: pl.DataFrame) -> list[Tensor]:
    """What the network and the line are given for the rows, by modules that the taught rows made."""
    kind, columns = kind_and_settings(name)
    learned = kind.learn(taught, columns)
    values = kind.encode(taught, columns, learned)
    asked = kind.encode(rows, columns, learned)
    modules = [kind.line_features(values, learned)]
    if kind.network_features:
        modules.insert(0, kind.network_features(values, learned, 4))
    assert tuple(map(type, modules)) == tuple(filter(None, kind.modules)), "a model file could not be loaded"
    given = [module(asked) for module in modules]
    assert [each.shape for each in given] == [(len(rows), module.width) for module in modules]
    return given


def parts_fitted(
    name: str, taught: pl.DataFrame, *, numbers: bool = False
) -> list[tuple[KindPart[Any, Any], Any, nn.Module]]:
    """The parts that read the column as a sequence, each with its settings and its module, fitted for two epochs."""
    kind, columns = kind_and_settings(name)
    if not kind.part_settings:
        return []
    labels = ["high", "low"]
    targets = torch.tensor([labels.index(label) for label in taught["answer"]])
    targets = targets * 1.5 if numbers else targets
    outputs = 1 if numbers else 2
    aim = Aim(targets.double() if numbers else targets, outputs, folds=4, seconds=None, seed=0)
    chosen = kind.part_settings(taught, columns, aim)
    found = []
    for part in (part for part in kind.parts if part.name in chosen):
        settings = chosen[part.name].model_copy(update={"epochs": 2})
        inputs = {part.block: part.encode(taught, columns, settings)}
        torch.manual_seed(0)
        module = part.build(inputs[part.block], settings, outputs)
        learns = part.learns(torch.arange(len(taught)) % 4, settings)
        losses_of = member_squared_errors if numbers else member_log_losses
        told = list(part.fit(module, inputs, targets.float() if numbers else targets, learns, losses_of, settings))
        assert told[0][0] == 1
        part.settle(module)
        found.append((part, settings, module.eval()))
    return found


def answers_of_part(
    part: KindPart[Any, Any], settings: Any, module: nn.Module, name: str, rows: pl.DataFrame
) -> Tensor:
    """What a part answers: (members, rows, outputs)."""
    _, columns = kind_and_settings(name)
    with torch.no_grad():
        return module({part.block: part.encode(rows, columns, settings)})  # type: ignore[no-any-return]


def same(first: Tensor, second: Tensor) -> None:
    assert_close(first, second, rtol=0, atol=0, equal_nan=True)


@pytest.fixture(scope="module", params=[(name, keep) for name in COLUMNS for keep in (NETWORK, LINE)], ids=str)
def fitted(request: pytest.FixtureRequest, fit: Fit) -> tuple[str, Run]:
    name, keep = request.param
    return name, fit(rows_of(name), Choices("answer"), keep=keep)


def test_every_kind_has_its_example_columns() -> None:
    assert {column.kind for column in COLUMNS.values()} == {kind.name for kind in KINDS}


@EVERY_COLUMN
def test_a_column_is_claimed_by_its_kind_among_all(name: str) -> None:
    rows = rows_of(name)
    aim = Target(column="answer", task="classification")
    assert decide_column(rows["cell"], rows["answer"], aim).column.kind == COLUMNS[name].kind


@EVERY_COLUMN
def test_encoding_twice_gives_the_same(name: str) -> None:
    same(encoded(name, rows_of(name)), encoded(name, rows_of(name)))


@EVERY_COLUMN
def test_each_row_is_encoded_by_itself_alone(name: str) -> None:
    rows = rows_of(name)
    whole = encoded(name, rows)
    same(torch.cat([encoded(name, rows[place : place + 1]) for place in range(len(rows))]), whole)
    same(encoded(name, backwards(rows)), whole.flip(0))


@EVERY_COLUMN
def test_what_is_learned_does_not_depend_on_the_order_of_rows(name: str) -> None:
    rows = rows_of(name)
    same(encoded(name, rows, learned_from=rows), encoded(name, rows, learned_from=backwards(rows)))


@EVERY_COLUMN
def test_different_cells_and_the_gap_are_told_apart(name: str) -> None:
    rows = rows_of(name)
    cells = rows["cell"].unique().to_frame()
    assert cells["cell"].null_count() == 1
    for given in features(name, rows, cells):
        assert len(given.unique(dim=0)) == len(cells)


@EVERY_COLUMN
def test_cells_never_seen_give_finite_features(name: str) -> None:
    if not COLUMNS[name].unseen:
        pytest.skip("every cell that a column of this type can hold has been seen")
    cells = series_of(COLUMNS[name].unseen).to_frame()
    for given in features(name, rows_of(name), cells):
        assert given.isfinite().all()


@EVERY_COLUMN
def test_a_table_of_one_row_is_learned_from(name: str) -> None:
    rows = rows_of(name)[:1]
    for given in features(name, rows, rows_of(name)):
        assert given.isfinite().all()


@EVERY_COLUMN
def test_a_column_of_gaps_alone_is_learned_from_and_answered(name: str) -> None:
    rows = rows_of(name)
    gaps = rows.with_columns(pl.lit(None, dtype=rows["cell"].dtype).alias("cell"))
    for taught, asked in ((gaps, gaps), (gaps, rows), (rows, gaps)):
        for given in features(name, taught, asked):
            assert given.isfinite().all()


READ_AS_WHOLES = pytest.mark.parametrize(
    "name", [name for name, column in COLUMNS.items() if kind_named(column.kind).parts]
)


@READ_AS_WHOLES
@pytest.mark.parametrize("numbers", [False, True], ids=["classes", "numbers"])
def test_a_part_answers_each_row_by_itself_alone_and_is_made_anew_from_its_tensors(name: str, numbers: bool) -> None:
    rows = rows_of(name)
    parts = parts_fitted(name, rows, numbers=numbers)
    written = rows["cell"].dtype == pl.String
    assert len(parts) >= (3 if written else 1)
    # sums over many pixels are rounded otherwise, row by row or together
    relative, absolute = (0.0, 1e-6) if written else (1e-5, 2e-5)
    for part, settings, module in parts:
        whole = answers_of_part(part, settings, module, name, rows)
        assert whole.dtype == torch.float32
        assert whole.shape[1:] == (len(rows), 1 if numbers else 2)
        assert whole.isfinite().all()
        alone = [answers_of_part(part, settings, module, name, rows[place : place + 1]) for place in range(len(rows))]
        assert_close(torch.cat(alone, dim=1), whole, rtol=relative, atol=absolute)
        assert_close(
            answers_of_part(part, settings, module, name, backwards(rows)), whole.flip(1), rtol=relative, atol=absolute
        )
        again = part.rebuild(module.state_dict(), settings, whole.shape[2])
        again.load_state_dict(module.state_dict())
        same(answers_of_part(part, settings, again.eval(), name, rows), whole)


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.kind in ("text", "dna")])
def test_a_part_is_born_the_same_in_whatever_order_its_rows_come(name: str) -> None:
    _, columns = kind_and_settings(name)
    rows = rows_of(name)
    for part, settings, _ in parts_fitted(name, rows):
        born = []
        for table in (rows, backwards(rows)):
            torch.manual_seed(0)
            born.append(part.build(part.encode(table, columns, settings), settings, 2).state_dict())
        assert born[0].keys() == born[1].keys()
        for key in born[0]:
            same(born[0][key], born[1][key])


@READ_AS_WHOLES
def test_a_part_tells_different_cells_and_the_gap_apart(name: str) -> None:
    rows = rows_of(name)
    cells = rows["cell"].unique().to_frame()
    for part, settings, module in parts_fitted(name, rows):
        answers = answers_of_part(part, settings, module, name, cells).transpose(0, 1).flatten(1)
        assert len(answers.unique(dim=0)) > 0.9 * len(cells)


@READ_AS_WHOLES
def test_a_part_learns_from_gaps_alone_and_answers_what_it_has_never_seen(name: str) -> None:
    rows = rows_of(name)
    gaps = rows.with_columns(pl.lit(None, dtype=rows["cell"].dtype).alias("cell"))
    strange = with_a_gap(COLUMNS[name].unseen)
    for taught, asked in ((gaps, gaps), (gaps, rows), (rows, gaps), (rows, strange), (gaps, strange)):
        for part, settings, module in parts_fitted(name, taught):
            assert answers_of_part(part, settings, module, name, asked).isfinite().all()


def test_a_saved_and_loaded_model_gives_the_same_answers(fitted: tuple[str, Run]) -> None:
    name, run = fitted
    assert run.folder is not None
    again = load_model(run.folder / "model.safetensors").predictor
    assert run.predictor.plan.columns[0].kind == COLUMNS[name].kind
    for first, second in zip(values(run, rows_of(name)), again.answers(rows_of(name)).values(), strict=True):
        same(first, second.probabilities)  # type: ignore[union-attr]


def test_loading_models_takes_neither_a_compiler_nor_charts(fit: Fit) -> None:
    names = ("number, text", "text", "DNA", "pictures", "videos")
    folders = [str(fit(rows_of(name), Choices("answer")).folder) for name in names]
    script = f"import sys, firstlight; [firstlight.load(folder) for folder in {folders}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "torch" in done.stdout.split()
    assert not {"torch._dynamo", "altair"} & set(done.stdout.split())  # a second and a half of imports


def test_the_number_of_rows_asked_at_once_does_not_change_an_answer(fitted: tuple[str, Run]) -> None:
    name, run = fitted
    rows = rows_of(name)
    one_by_one = [run.predict(rows[place : place + 1]) for place in range(len(rows))]
    whole = run.predict(rows)
    assert whole["answer"].equals(pl.concat(one_by_one)["answer"])
    apart = (whole["P(high)"] - pl.concat(one_by_one)["P(high)"]).abs()
    assert apart.max() < 1e-6  # type: ignore[operator]


def test_any_cell_is_answered_with_a_note_where_it_cannot_be_used(fitted: tuple[str, Run]) -> None:
    name, run = fitted
    cells = with_a_gap(COLUMNS[name].unseen)
    assert len(run.predict(cells)) == len(cells)
    strange = {"many", "heavy", "soon", "maybe", "Torgersen", "99999", "2023-02-30", "1e999", "no DNA", 2, float("inf")}
    met = [cell for cell in COLUMNS[name].unseen if isinstance(cell, Hashable) and cell in strange]
    notes = " ".join(oddities(cells, run.predictor.plan, run.predictor.encoders))
    assert all(str(cell) in notes for cell in met)
    assert notes.startswith("cell: ") == bool(met)


def test_the_ejected_script_fits_the_same_model(fitted: tuple[str, Run], bare: Bare) -> None:
    _, run = fitted
    assert run.folder is not None
    said, fault = bare(run.folder / "train.py")
    assert fault == ""
    assert said.endswith("the same model, to the last bit\n")


def values(run: Run, rows: pl.DataFrame) -> list[Tensor]:
    return [answers.probabilities for answers in run.predictor.answers(rows).values()]  # type: ignore[union-attr]


def test_a_boolean_is_the_same_however_it_is_spelt_or_typed() -> None:
    spellings = (["Yes", "no", None], ["TRUE", "false", None], [1, 0, None], [1.0, 0.0, None], [True, False, None])
    columns = {"paid": BOOLEAN.settings()}
    expected = torch.tensor([[1.0], [0.0], [torch.nan]], dtype=torch.float64)
    for cells in spellings:
        values = BOOLEAN.encode(pl.DataFrame({"paid": cells}), columns, {})
        torch.testing.assert_close(values, expected, equal_nan=True)
