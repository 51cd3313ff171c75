"""Where the labels of sequences stand: in their headers, in the names of folders and files, or in a second table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from firstlight.data.table import Table
from firstlight.data.wording import are, brief, listed
from firstlight.refusal import Refused, column_named
from firstlight.wording import counted, whole

LABEL, ID, SEQUENCE = "label", "id", "sequence"
_SIDES = r"[+-]?[01]|(?i:pos|neg|positive|negative)"
# How labels are written in headers, the surest first: with a word before them (">seq1 class:1", "|label=a"), or bare.
_WORDS = [spelt for word in ("class", "label", "category", "target") for spelt in (word, word.title(), word.upper())]
NAMED_PATTERNS = tuple(rf"\b{word}[:=] ?([^\s|;,]+)" for word in _WORDS)
BARE_PATTERNS = (
    r"\|([^|\s]+)\|(?:training|testing|train|test)\s*$",  # as iLearn has it: ">seq1|1|training"
    rf"[|\s]({_SIDES})\s*$",  # ">seq1|1", ">seq1 positive"
    r"\|([^|\s]+)\s*$",  # ">seq1|promoter"
    r"(?:^|[_|.-])((?i:pos|neg|positive|negative))(?:[_|.\s-]|$)",  # ">neg_17"
)
# A pattern is tried on this many headers, spread over all of them.
HEADERS_TRIED = 2000
# Where the headers name the label, a few may lack it.
NAMED_SHARE = 0.9
# The last word of a header is a label where there are few of them, each with several records.
MOST_LABELS, RECORDS_A_LABEL = 50, 5
_HEADER_SHOWN = 80


@dataclass(frozen=True)
class Label:
    """option: what `plain.sequences.sequence_rows` takes as `label`. said: where the labels come from, for a person."""

    option: str | list[str] | None = None
    said: str = ""


def label_found(headers: pl.Series) -> Label | None:
    """The pattern among the usual ones that finds labels in the headers; None where none does."""
    tried = headers.gather_every(max(1, len(headers) // HEADERS_TRIED))
    for pattern in NAMED_PATTERNS:
        if int(tried.str.contains(pattern).sum()) >= NAMED_SHARE * len(tried):
            return _by(pattern)
    for pattern in BARE_PATTERNS:
        labels = tried.str.extract(pattern)
        if labels.null_count() == 0 and labels.n_unique() <= min(MOST_LABELS, max(2, len(tried) // RECORDS_A_LABEL)):
            return _by(pattern)
    return None


def label_by_pattern(pattern: str, headers: pl.Series, location: str) -> Label:
    """The pattern that a person gave. Raises Refused where it is none, has not one group, or fits no header."""
    try:
        groups = len(pl.Series([""]).str.extract_groups(pattern).struct.fields)
        fits = groups == 1 and headers.str.extract(pattern).null_count() < len(headers)
    except pl.exceptions.PolarsError as error:
        raise Refused(f"the label pattern {pattern!r} is no regular expression: {brief(error)}.") from error
    if groups != 1:
        raise Refused(
            f"the label pattern {pattern!r} has {counted(groups, 'group')}; put the label, and nothing else, in "
            r"parentheses, as in 'class=(\w+)'."
        )
    if not fits:
        raise Refused(
            f"the label pattern {pattern!r} fits no header of {location}; the first header is "
            f"{headers[0][:_HEADER_SHOWN]!r}."
        )
    return _by(pattern)


def _by(pattern: str) -> Label:
    return Label(pattern, f"label by {pattern} in the headers")


def with_labels_of(labels: Table, rows: pl.DataFrame, location: str, notes: list[str]) -> pl.DataFrame:
    """The rows with the other columns of the table of labels beside them, where the ids are equal.

    Raises Refused where the table has no column id, no labels, or ids that fit none of the rows.
    """
    theirs = _label_columns(labels, notes)
    name = labels.reading.location
    twice = theirs.filter(pl.col(ID).is_duplicated())[ID].unique(maintain_order=True).to_list()
    if twice:
        several = f"{counted(len(twice), 'id')} of {name} with several labels"
        notes.append(f"{several} {are(len(twice))} left without one ({listed(twice)})")
        theirs = theirs.filter(~pl.col(ID).is_in(twice))
    found = rows[ID].is_in(theirs[ID].implode())
    if not found.any():
        ours, other = rows[ID][0], theirs[ID][0] if theirs.height else None
        raise Refused(
            f"no id of {name} stands in {location}: there it is {ours!r}, say, and in the table of labels {other!r}."
        )
    if lacking := rows.height - int(found.sum()):
        notes.append(f"{counted(lacking, 'sequence')} of {whole(rows.height)} {are(lacking)} not in {name}: no label")
    if surplus := theirs.height - int(theirs[ID].is_in(rows[ID].implode()).sum()):
        notes.append(f"{counted(surplus, 'id')} of {name} {are(surplus)} without a sequence")
    return rows.join(theirs, on=ID, how="left", maintain_order="left")


def _label_columns(labels: Table, notes: list[str]) -> pl.DataFrame:
    """The column id as text and the others, of which one is called label; each row once."""
    frame, name = labels.frame, labels.reading.location
    column_named(ID, frame.columns, name)
    if SEQUENCE in frame.columns:
        notes.append(f"the column {SEQUENCE!r} of {name} is left out: the sequences come from their own file")
        frame = frame.drop(SEQUENCE)
    others: Sequence[str] = [column for column in frame.columns if column != ID]
    if len(others) == 1:
        frame = frame.rename({others[0]: LABEL})
    elif LABEL not in others:
        has = f"the columns {listed(others)}" if others else "no column"
        raise Refused(f"{name} has {has} beside 'id', and none called 'label'; call the one with the labels so.")
    return frame.with_columns(pl.col(ID).cast(pl.String)).drop_nulls(ID).unique(maintain_order=True)
