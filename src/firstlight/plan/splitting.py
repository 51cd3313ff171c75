"""Step 1, prepare: which rows are set aside as the test before anything looks at the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl
import torch
from torch import Tensor

from firstlight.data.pixel_cells import hashed, is_picture, is_video
from firstlight.kinds.category import LONG
from firstlight.kinds.date import DATE, FORMS
from firstlight.kinds.dna import DNA
from firstlight.kinds.kind import has_words, share
from firstlight.kinds.number import NUMBER
from firstlight.plain.categories import codes
from firstlight.plain.dates import days_since_1970, moments
from firstlight.plain.like_names import ENDING, like_names, sources_of
from firstlight.plain.likeness import like_sequences, like_texts
from firstlight.plain.numbers import typed_numbers
from firstlight.plain.split import kin_by_equality, kin_in_any, split_at_random, split_by_time
from firstlight.plain.targets import labels_of
from firstlight.plan.plan import Plan, Split
from firstlight.refusal import Refused
from firstlight.wording import counted

FEWEST_ROWS = 10
USUAL_SHARE, MOST_TESTED = 0.2, 100_000  # of the rows, and at most so many: more would tell nothing more
FEWEST_SOURCES = 10  # that names of clips tell apart, below which they only number them


@dataclass(frozen=True, eq=False)
class Parts:
    """Row numbers of the two parts, each row in exactly one, in the order of the table: int64 (rows,) each.

    kin: the same number for rows that must stay together, int64, for each row of the table.
    """

    train: Tensor
    test: Tensor
    kin: Tensor

    def __post_init__(self) -> None:
        rows = torch.cat([self.train, self.test]).sort().values
        if not torch.equal(rows, torch.arange(len(rows))):
            raise ValueError("the parts do not hold each row once")


def choose_split(
    rows: pl.DataFrame, target: str, *, share: float, time: str | None, group: str | None, seed: int
) -> Split:
    """How to set the test rows aside; it compares rows with one another, and learns nothing from them."""
    if group is not None:
        split = Split(way="group", share=share, column=group, seed=seed)
        return split.model_copy(update=compared_by_likeness(rows.drop(group), target))
    if time is not None:
        split = Split(way="time", share=share, column=time, forms=_forms(rows[time], time), seed=seed)
        return split.model_copy(update=compared_by_likeness(rows, target))
    even = has_words(rows[target]) and rows[target].n_unique() * 5 <= len(rows)  # repeated five times: it has classes
    way: Literal["chance", "none"] = "chance" if share else "none"
    split = Split(way=way, share=share, even=even, seed=seed).model_copy(update=compared_by_likeness(rows, target))
    return split.model_copy(update={"alike": columns_compared(rows, target, split)})


def usual_share(rows: int) -> float:
    """The share of the rows that is set aside where none was asked for."""
    return min(USUAL_SHARE, round(MOST_TESTED / rows, 6))


def _forms(cells: pl.Series, name: str) -> tuple[str, ...]:
    if claim := DATE.claim(cells):
        return claim.settings.forms
    if NUMBER.claim(cells):
        return ()
    raise Refused(f"column {name!r} cannot order rows by time: its cells are neither dates nor numbers.")


def columns_compared(rows: pl.DataFrame, target: str, split: Split) -> tuple[str, ...]:
    """The inputs in which rows are compared, so that equal ones stay together; none where equality says nothing.

    What the target says does not count: a row whose inputs were learned tells nothing new when it is tested. A column
    that numbers the rows would make all of them different, and is not compared; texts and sequences number nothing,
    though each may be there once. Where the columns are so few or so coarse that most rows have a twin, being equal is
    no sign of being the same thing. split: it tells which columns hold texts and sequences.
    """
    contents = {*split.near_texts, *split.near_sequences}
    inputs = [name for name in rows.columns if name != target]
    plain = [name for name in inputs if not (rows[name].dtype.is_nested() or rows[name].dtype == pl.Object)]
    whole = [name for name in plain if name not in contents and not rows[name].dtype.is_float()]
    numbering = [name for name in whole if rows[name].n_unique() == len(rows)]
    compared = [name for name in plain if name not in numbering] or plain
    return tuple(compared) if compared and rows[compared].n_unique() >= len(rows) / 2 else ()


def compared_by_likeness(rows: pl.DataFrame, target: str) -> dict[str, tuple[str, ...]]:
    """The columns of texts, sequences, pictures and videos in which rows that are nearly equal stay together.

    Under the names that `Split` has for them. Texts and sequences are mostly different: a barcode or a stock phrase
    that comes again and again is no sign of anything.
    """
    of_words = pl.String | pl.Categorical | pl.Enum
    names = [name for name in rows.columns if name != target and isinstance(rows[name].dtype, of_words)]
    written = {name: rows[name].drop_nulls().cast(pl.String) for name in names}
    sequences = [name for name, known in written.items() if _holds_sequences(known)]
    texts = [name for name, known in written.items() if name not in sequences and _holds_texts(known)]
    videos = [name for name in rows.columns if is_video(rows[name].dtype)]
    return {
        "near_texts": tuple(texts),
        "near_sequences": tuple(sequences),
        "near_pictures": tuple(name for name in rows.columns if is_picture(rows[name].dtype)),
        "near_videos": tuple(videos),
        "near_names": tuple(name for name in written if videos and _names_clips(rows[name])),
    }


def _names_clips(names: pl.Series) -> bool:
    """Whether these are names of files of which several at a time come from one of many sources."""
    if share(names.drop_nulls().str.contains(ENDING)) < 1:
        return False
    sizes = sources_of(names).value_counts()["count"]
    several = int(sizes.filter(sizes > 1).sum())
    return len(sizes) >= FEWEST_SOURCES and several >= len(names) / 2 and int(sizes.max() or 0) <= len(names) / 5  # type: ignore[arg-type]


def _holds_sequences(known: pl.Series) -> bool:
    return DNA.claim(known) is not None and known.n_unique() > len(known) / 10


def _holds_texts(known: pl.Series) -> bool:
    if len(known) == 0 or float(known.str.len_bytes().median()) < 20 or known.n_unique() <= len(known) / 2:  # type: ignore[arg-type]
        return False
    blanks = int(known.str.count_matches(" ", literal=True).sum())
    return blanks / len(known) + 1 >= LONG or share(known.str.contains(r"[^\x00-\x7f]{4}")) >= 0.5  # as Chinese is


def apply_split(rows: pl.DataFrame, target: str, split: Split, test_rows: int) -> Parts:
    """The two parts of the rows; with a test file, its rows are the last `test_rows` of the table."""
    every = torch.arange(len(rows))
    if split.way in ("chance", "group"):
        strata = codes(rows[target], labels_of(rows[target])) - 1 if split.even else torch.zeros_like(every)
        kin = kin_of(rows, split)
        parts = Parts(*split_at_random(strata, kin, split.share, split.seed), kin)
    elif split.way == "time":
        parts = _with_kin(rows, split, *split_by_time(days(rows[split.column], split.forms), split.share))
    else:
        border = len(rows) - (test_rows if split.way == "file" else 0)
        return _with_kin(rows, split, every[:border], every[border:])
    if len(parts.test) == 0 or len(parts.train) == 0:
        what = f"column {split.column!r}" if split.column else f"a share of {split.share:g}"
        raise Refused(f"no test rows can be set aside by {what}: all {len(rows)} rows fall on one side.")
    return parts


def _with_kin(rows: pl.DataFrame, split: Split, train: Tensor, test: Tensor) -> Parts:
    """Parts that are given: kin are looked for among the training rows alone, for no test row may link two of them."""
    kin = torch.arange(len(rows))
    kin[train] = train[kin_of(rows[train.numpy()], split)]
    return Parts(train, test, kin)


def kin_of(rows: pl.DataFrame, split: Split) -> Tensor:
    """The same number for rows that must stay together, that of the first of them: (rows,) int64."""
    if split.way == "group":
        return kin_by_equality(rows, [split.column])
    equal = [kin_by_equality(rows, split.alike)] if split.alike else []
    ways = [*equal, *_likenesses(rows, split)]
    return kin_in_any(ways) if ways else torch.arange(len(rows))


def _likenesses(rows: pl.DataFrame, split: Split) -> list[Tensor]:
    found = [
        *(like_texts(rows[name]) for name in split.near_texts),
        *(like_sequences(rows[name]) for name in split.near_sequences),
        *(like_names(rows[name]) for name in split.near_names),
    ]
    if split.near_pictures or split.near_videos:
        from firstlight.plain.like_pictures import like_pictures, like_videos  # Pillow is needed for these alone

        found += [like_pictures(rows[name]) for name in split.near_pictures]
        found += [like_videos(rows[name]) for name in split.near_videos]
    return found


def notes_on_kin(kin: Tensor, split: Split, classes: Tensor | None) -> list[str]:
    """What was found by likeness: how many rows have kin, in how many groups, and whether those agree.

    classes: of the rows, (rows,) int64; None where the target is a number.
    """
    numbers, sizes = kin.unique(return_inverse=True, return_counts=True)[1:]
    groups = sizes[sizes > 1]
    if not split.near or split.way == "group" or len(groups) == 0:
        return []
    names = ", ".join(split.near)
    alike = "equal or nearly equal to another" + (", or cut from the same source" if split.near_names else "")
    found = f"{int(groups.sum())} rows are {alike} ({counted(len(groups), 'group')})"
    if classes is not None:
        pairs = torch.stack([numbers, classes], dim=1).unique(dim=0)
        torn = int((torch.bincount(pairs[:, 0]) > 1).sum())
        found += f", {torn} of them with different labels" if torn else ""
    return [f"{names}: {found}: what is alike stays together."]


def seen_rows(train: pl.DataFrame, test: pl.DataFrame, plan: Plan) -> Tensor:
    """Whether each test row stands in the training rows, too, equal in all inputs or nearly equal: (rows,) bool."""
    both = pl.concat([train, test])
    ways = [kin_by_equality(hashed(both), plan.inputs), *_likenesses(both, plan.split)]
    return kin_in_any(ways)[len(train) :] < len(train)  # the first of their kin is a training row


def days(cells: pl.Series, forms: tuple[str, ...]) -> Tensor:
    """When each row was, to order them by: (rows,) float64; NaN where it is not known."""
    dated = cells.dtype.is_temporal() or bool(forms)
    values = days_since_1970(moments(cells, forms or FORMS)) if dated else typed_numbers(cells)
    return torch.from_numpy(values.to_numpy(writable=True))
