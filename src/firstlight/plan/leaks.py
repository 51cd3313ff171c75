"""Columns that know too much: copies of the target, and columns that alone tell it almost without fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from firstlight.data.pixel_cells import pixel_shape
from firstlight.kinds.dna import DNA
from firstlight.kinds.number import NUMBER, column_values
from firstlight.kinds.text import TEXT
from firstlight.plain.categories import words
from firstlight.plain.hashing import hashes_of
from firstlight.plan.plan import LEFT_OUT, Column, Suspicion, Target, Task

ALMOST_ALWAYS = 0.99  # of the rows told right, or of the variance explained, by one column alone
SAME_LINE = 0.999999  # correlation from which a number is the target in another unit
FEWEST_FILLED = 10
FEW_DIFFERENT = 64  # numbers, of which equal ones are alike; among more the nearest are
SEQUENCES = (TEXT.name, DNA.name)
PIECE = r"\p{L}+|\p{N}+"  # of a name such as "ATRINS-DONOR-521"
WORDS_A_LABEL = 3
NEARLY_ALL = 0.95  # of the rows have such a word, or have none where that tells as much
ROWS_SEARCHED, LETTERS_SEARCHED = 4000, 2000  # so that long texts cost no time
SHOWN = 3


def copy_of_target(cells: pl.Series, target: pl.Series, aim: Target) -> str:
    """Why the column is the target in other words, shifted, rounded or re-coded; "" where it is not."""
    mine, theirs = words(cells), words(target)
    if (mine == theirs).all():
        return f"a copy of {aim.column!r}"
    if aim.task == "classification":
        pairs = pl.DataFrame({"mine": mine, "theirs": theirs}).unique()
        if len(pairs) == mine.n_unique() == theirs.n_unique():
            return f"a copy of {aim.column!r} in other words: each value stands beside one label and no other"
        return ""
    values, truth = numbers_of(cells), numbers_of(target)
    known = np.isfinite(values) & np.isfinite(truth)
    if known.sum() > 2 and known.mean() > 0.5:
        correlation = correlation_of(values[known], truth[known])
        if abs(correlation) > SAME_LINE:
            return f"a copy of {aim.column!r} in another unit: the two lie on a straight line"
    return ""


def correlation_of(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation; 0 where one of the two does not vary."""
    first, second = (values / (np.abs(values).max() or 1) for values in (first, second))
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def numbers_of(cells: pl.Series) -> np.ndarray:
    """The cells as float64 where they are numbers, NaN elsewhere: (rows,)."""
    claim = NUMBER.claim(cells)
    if claim is None:
        return np.full(len(cells), np.nan)
    return column_values(cells, claim.settings).numpy()


def suspicions(rows: pl.DataFrame, target: str, task: Task, columns: Sequence[Column]) -> tuple[Suspicion, ...]:
    """The columns to look at before believing the score, and names left out that would tell it, should they be used."""
    if len(rows) < 50:
        return ()
    read = [column for column in columns if pixel_shape(rows[column.name].dtype) is None]
    reasons = {column.name: _why_suspected(rows[column.name], rows[target], task, column) for column in read}
    return tuple(Suspicion(column=name, why=why) for name, why in reasons.items() if why)


def _why_suspected(cells: pl.Series, target: pl.Series, task: Task, column: Column) -> str:
    aim = Target(column=target.name, task=task)
    words_told = words_that_tell(cells, target) if task == "classification" else {}
    if column.kind == LEFT_OUT:
        if not words_told or copy_of_target(cells, target, aim):
            return ""
        return f"is left out, and would know too much: {_examples(words_told, target.name)}."
    if why := _suspicion(cells, target, task):
        return why
    if words_told:
        return f"gives the answer away: {_examples(words_told, target.name)}; would you know it before you predict?"
    if column.kind in SEQUENCES and told_alone(sizes_of(cells), target, task) >= ALMOST_ALWAYS:
        return f"tells {target.name} by the mere length of its cells: were all of them collected in the same way?"
    return ""


def _examples(told: Mapping[str, str], target: str) -> str:
    shown = [f"{word!r} stands only where {target} is {label!r}" for word, label in list(told.items())[:1]]
    shown += [f"{word!r} where it is {label!r}" for word, label in list(told.items())[1:SHOWN]]
    return ", ".join([*shown, *(["and so on"] if len(told) > SHOWN else [])])


def sizes_of(cells: pl.Series) -> pl.Series:
    """How many letters each cell has: (rows,) whole numbers."""
    return words(cells).str.len_chars().cast(pl.Int64)


def words_that_tell(cells: pl.Series, target: pl.Series) -> dict[str, str]:
    """Words within the cells that tell the label nearly always, or never stand beside it, each with its label.

    At most 3 words a label, found in the first half of the rows; none where these do not tell nearly all of the second
    half: there each row is taken for the label of its word, or for the one that rows without such words have. Cells of
    a single word are left to `told_alone`.
    """
    if not isinstance(cells.dtype, pl.String | pl.Categorical | pl.Enum):
        return {}
    found = words(cells).str.slice(0, LETTERS_SEARCHED).str.extract_all(PIECE).list.unique()
    table = pl.DataFrame({"word": found, "truth": words(target)})
    table = table.gather_every(max(1, len(table) // ROWS_SEARCHED)).with_row_index("row")
    if table["word"].list.len().max() in (None, 0, 1):
        return {}
    half = pl.Series(in_first_half(len(table)))
    first, second = table.filter(half), table.filter(~half)
    pure = _tellers(first.explode("word").drop_nulls("word"), "word").sort(["times", "word"], descending=[True, False])
    chosen = pure.group_by("guess", maintain_order=True).head(WORDS_A_LABEL)
    without = first.join(_guessed(first, chosen), on="row", how="anti").with_columns(word=pl.lit(""))
    rest = _tellers(without, "word")["guess"]
    guesses = second.join(_guessed(second, chosen), on="row", how="left")
    if len(rest):
        guesses = guesses.with_columns(pl.col("guess").fill_null(rest[0]))
    known = guesses.drop_nulls("guess")
    wrong = int((known["guess"] != known["truth"]).sum())
    wrong_always = int((known["truth"] != first["truth"].mode().sort()[0]).sum())
    if len(known) < NEARLY_ALL * len(second) or wrong > (1 - ALMOST_ALWAYS) * wrong_always or not wrong_always:
        return {}
    shown = chosen.filter(pl.col("times") > 1).unique("guess", keep="first", maintain_order=True)
    return dict(shown.select("word", "guess").iter_rows())


def _tellers(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """The values that stand almost always beside one label, with it, and how often they stand: by, guess, times."""
    counts = rows.group_by(by, "truth").len("beside").sort(["beside", "truth"], descending=[True, False])
    each = counts.group_by(by, maintain_order=True).agg(
        guess=pl.col("truth").first(), most=pl.col("beside").first(), times=pl.col("beside").sum()
    )
    return each.filter(pl.col("most") >= ALMOST_ALWAYS * pl.col("times")).select(by, "guess", "times")


def _guessed(rows: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """The label by the most frequent chosen word of each row that holds one: row, guess."""
    found = rows.select("row", "word").explode("word").join(chosen, on="word", how="inner")
    found = found.sort(["row", "times", "word"], descending=[False, True, False])
    return found.unique("row", keep="first", maintain_order=True).select("row", "guess")


def _suspicion(cells: pl.Series, target: pl.Series, task: Task) -> str:
    if task == "classification":
        filled = words(target).filter(cells.is_not_null())
        if len(filled) >= FEWEST_FILLED and filled.n_unique() == 1 and words(target).n_unique() > 1:
            return f"stands only where {target.name} is {filled[0]!r}: it may be known only after the fact."
    told = told_alone(cells, target, task)
    if told >= ALMOST_ALWAYS:
        return f"alone tells {target.name} almost without fail: would you know it before you need to predict?"
    return ""


def in_first_half(rows: int) -> np.ndarray:
    """About half of the rows, always the same ones, in no order that the labels of a table have: (rows,) boolean."""
    return np.asarray(hashes_of(np.arange(1, rows + 1, dtype=np.uint64)) % 2 == 0)


def nearest_of_the_first_half(values: np.ndarray) -> np.ndarray:
    """For each number the one that is nearest to it among those of the first half: (rows,); NaN stays."""
    taught = np.unique(values[in_first_half(len(values)) & np.isfinite(values)])
    nearest = taught[np.searchsorted((taught[1:] + taught[:-1]) / 2, values)]
    return np.where(np.isfinite(values), nearest, np.nan)


def told_alone(cells: pl.Series, target: pl.Series, task: Task) -> float:
    """How well one column tells the target: by the mean or the most frequent label of like cells in the first half.

    Words are alike where they are equal, numbers where they are nearest.
    From 0 to 1: the share of the errors of the constant guess that are gone.
    """
    values = numbers_of(cells)
    like = words(cells)
    if np.isfinite(values).mean() > 0.5 and cells.n_unique() > FEW_DIFFERENT:
        like = pl.Series(nearest_of_the_first_half(values)).fill_nan(None)
    truth = pl.Series(numbers_of(target)).fill_nan(None) if task == "regression" else words(target)
    table = pl.DataFrame({"like": like, "truth": truth, "half": in_first_half(len(cells))}).drop_nulls("truth")
    first, second = table.filter(pl.col("half")), table.filter(~pl.col("half"))
    return _variance_told(first, second) if task == "regression" else _labels_told(first, second)


def _variance_told(first: pl.DataFrame, second: pl.DataFrame) -> float:
    means = first.group_by("like").agg(guess=pl.col("truth").mean())
    told = second.join(means, on="like", how="left").with_columns(pl.col("guess").fill_null(first["truth"].mean()))
    error, spread = told.select(
        (pl.col("truth") - pl.col("guess")).pow(2).sum().alias("error"),
        (pl.col("truth") - pl.col("truth").mean()).pow(2).sum().alias("spread"),
    ).row(0)
    return float(1 - error / spread) if spread else 0.0


def _labels_told(first: pl.DataFrame, second: pl.DataFrame) -> float:
    commonest = first["truth"].mode().sort()[0]
    labels = first.group_by("like").agg(guess=pl.col("truth").mode().sort().first())
    told = second.join(labels, on="like", how="left").with_columns(pl.col("guess").fill_null(commonest))
    wrong = int((told["guess"] != told["truth"]).sum())
    wrong_always = int((told["truth"] != commonest).sum())
    return 1 - wrong / wrong_always if wrong_always else 0.0
