"""Step 1, prepare and load: DNA as sequencing machines and data banks write it, FASTA and FASTQ.

In: the bytes of a file. Out: a row a record, with its header, its id (the first word of the header) and its
sequence. All records are found at once, by the places of the line ends; their text is then cut out of the bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

BLOCK = 2**20  # bytes looked through at once: few enough to stay in the processor's cache


def content_of(path: str | Path) -> bytes:
    """All bytes of a file, unpacked where it is a gzip, with "\\n" at the end of each line."""
    content = Path(path).read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return with_line_feeds(content)


def with_line_feeds(content: bytes) -> bytes:
    """The same lines with "\\n" between them, be they written by Windows ("\\r\\n") or an old Mac ("\\r")."""
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in content else content


def places_of(letter: str, content: bytes) -> NDArray[np.int64]:
    """Where a letter of ASCII stands, and behind these places the length of the content."""
    text = np.frombuffer(content, np.uint8)
    found = [np.flatnonzero(text[at : at + BLOCK] == ord(letter)) + at for at in range(0, len(text), BLOCK)]
    return np.concatenate([*found, [len(text)]])


def lines_of(content: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each line starts, and where it ends: the place of its "\\n". Both (lines,) int64."""
    ends = places_of("\n", content)
    if content.endswith(b"\n"):
        ends = ends[:-1]
    return np.append(0, ends[:-1] + 1), ends


def cut_out(content: bytes, **spans: NDArray[np.int64]) -> pl.DataFrame:
    """A column of text for each name: slices of one buffer. spans: (2, rows), where each starts and where it ends."""
    lengths = {name: ends - starts for name, (starts, ends) in spans.items()}
    rows = len(next(iter(lengths.values())))
    places = {f"{name} start": starts for name, (starts, _) in spans.items()}
    frame = pl.DataFrame({**places, **lengths, "": pl.Series([content]).new_from_index(0, rows)})
    return frame.select(pl.col("").bin.slice(f"{name} start", name).cast(pl.String).alias(name) for name in spans)


def record_texts(content: bytes, headers: NDArray[np.int64], sequences: NDArray[np.int64]) -> pl.DataFrame:
    """The columns header, id and sequence; headers, sequences: (2, records), where each starts and where it ends."""
    starts, ends = headers
    id_ends = ends
    for blanks in (places_of(" ", content), places_of("\t", content)):  # an id ends before the first blank
        id_ends = np.minimum(blanks[np.searchsorted(blanks, starts)], id_ends)
    return cut_out(content, header=headers, id=np.stack([starts, id_ends]), sequence=sequences)


def fasta_records(content: bytes) -> pl.DataFrame:
    """A FASTA: a line with ">" and a header, then lines of sequence, up to the next such line.

    >>> fasta_records(b">a one\\nACGT\\nAC\\n>b\\nGG\\n")["sequence"].to_list()
    ['ACGTAC', 'GG']
    """
    text = np.frombuffer(content, np.uint8)
    starts, ends = lines_of(content)
    heads = np.flatnonzero(text[starts] == ord(">"))
    names = np.minimum(starts[heads] + 1, len(text) - 1)
    names = np.minimum(names + (text[names] == ord(" ")), ends[heads])  # some write a blank behind the ">"
    first = ends[heads] + 1  # of the letters below a header; the last stands before the next header
    last = np.append(starts[heads[1:]] - 1, ends[-1])
    headers, sequences = np.stack([names, ends[heads]]), np.stack([first, np.maximum(first, last)])
    records = record_texts(content, headers, sequences)
    if np.array_equal(heads, np.arange(0, len(starts), 2)):  # each sequence on one line
        return records
    return records.with_columns(pl.col("sequence").str.replace_all("\n", "", literal=True))  # wrapped lines, joined


def fastq_records(content: bytes) -> pl.DataFrame:
    """A FASTQ: four lines a record, "@" and the header, the sequence, "+", and how sure each letter is."""
    starts, ends = lines_of(content)
    headers = np.stack([starts[0::4] + 1, ends[0::4]])
    return record_texts(content, headers, np.stack([starts[1::4], ends[1::4]]))


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
