"""Step 1, prepare and load: DNA as sequencing machines and data banks write it, FASTA and FASTQ.

In: the lines of a file. Out: a row a record, with its header, its id (the first word of the header) and its
sequence. All records are found at once, by how lines begin, and no line is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl


def lines_of(file: str | Path | BinaryIO) -> pl.Series:
    """The lines of a file, plain or gzip, as text: "\\n" or "\\r\\n" ends one."""
    return pl.read_lines(file, glob=False).to_series()


def records_of(headers: pl.Series, sequences: pl.Series) -> pl.DataFrame:
    """The columns header, id (up to the first blank of the header) and sequence."""
    first = pl.col("header").str.splitn("\t", 2).struct[0].str.splitn(" ", 2).struct[0]
    return pl.DataFrame({"header": headers, "sequence": sequences}).select("header", first.alias("id"), "sequence")


def fasta_records(lines: pl.Series) -> pl.DataFrame:
    """A FASTA: a line with ">" and a header, then lines of sequence, up to the next such line.

    >>> fasta_records(pl.Series([">a one", "ACGT", "AC", ">b", "GG"]))["sequence"].to_list()
    ['ACGTAC', 'GG']
    """
    heads = lines.str.starts_with(">")
    headers = lines.filter(heads).str.slice(1).str.strip_prefix(" ")  # some write a blank behind the ">"
    places = heads.arg_true().to_numpy()
    if 2 * len(places) == len(lines) and np.array_equal(places, np.arange(0, len(lines), 2)):  # a line each
        return records_of(headers, lines.filter(~heads))
    numbered = pl.DataFrame({"record": heads.cum_sum(), "line": lines}).filter(pl.col("record") > 0)
    joined = numbered.group_by("record", maintain_order=True).agg(pl.col("line").slice(1).str.join(""))
    return records_of(headers, joined["line"])


def fastq_records(lines: pl.Series) -> pl.DataFrame:
    """A FASTQ: four lines a record, "@" and the header, the sequence, "+", and how sure each letter is."""
    return records_of(lines.gather_every(4).str.slice(1), lines.gather_every(4, offset=1))


def sequence_rows(files: Sequence[pl.DataFrame], label: str | Sequence[str] | None) -> pl.DataFrame:
    """The records of all files, one below the other, as columns id and sequence, and label where there is one.

    label: a regular expression whose group is the label in a header; or a label for each file; or None.
    """
    if label is None:
        return pl.concat(records.select("id", "sequence") for records in files)
    if isinstance(label, str):
        labels = [pl.col("header").str.extract(label)] * len(files)
    else:
        labels = [pl.lit(name) for name in label]
    return pl.concat(records.select("id", "sequence", label=each) for records, each in zip(files, labels, strict=True))
