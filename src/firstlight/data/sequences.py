"""FASTA and FASTQ: one file or many to a table of ids, sequences and, where something tells them, labels.

The records are cut out by `plain.sequences`, the same functions that the script will hold; here stands what is looked
at before and after: is the file whole, are its letters bases, and where does a record's label stand.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from firstlight.data.encoding import text_of
from firstlight.data.folders import SEQUENCE_SUFFIXES, check_no_parts, suffix_of
from firstlight.data.labels import Label, label_by_pattern, label_found, with_labels_of
from firstlight.data.packing import unpack
from firstlight.data.places import Source, short_name
from firstlight.data.signatures import SequenceFormat, is_bare_sequence, sequence_format
from firstlight.data.table import Reading, Table
from firstlight.data.wording import are, listed, numbered
from firstlight.plain.sequences import fasta_records, fastq_records, lines_of, sequence_rows
from firstlight.refusal import Refused
from firstlight.wording import counted, whole

HEAD = 2**16  # a header may be long
BLOCK = 2**20  # bytes looked through at once: few enough to stay in the processor's cache
# More than one line of text may have, whose length has 32 bits.
LARGEST_CONTENT = 2**32 - 2**20
# A script that named more files than this would be a list of names; then a copy of the rows is kept for it.
MOST_PATHS = 100
# The codes of IUPAC for bases, U of RNA among them, and "." as old sequencers write N.
BASES = b"ACGTURYSWKMBDHVN."
# Letters that stand for amino acids and for no base, and the share of them from which on a file holds proteins; in a
# protein they make up a third (UniProt's statistics of amino acids).
PROTEIN_LETTERS = frozenset("EFILPQ")
PROTEIN_SHARE = 0.05
_SAMPLE_RECORDS, _SAMPLE_LETTERS = 1000, 1000
# Of very long sequences only the beginning is looked at to show which letters are odd.
LARGEST_CELL = 2**20
# The packings that `plain.sequences` takes off by itself.
_PLAIN_UNPACKS = ((), ("gzip",))
_ODD, _BLANK, _GAP = 1, 2, 4


def _meanings() -> bytes:
    """What each byte of a sequence line means: 0 is a base, the others are bits of the three above."""
    meaning = bytearray([_ODD]) * 256
    for letter in (*BASES, *BASES.lower(), ord("\n")):
        meaning[letter] = 0
    for letter, what in ((" ", _BLANK), ("\t", _BLANK), ("-", _GAP)):
        meaning[ord(letter)] = what
    return bytes(meaning)


_MEANINGS = _meanings()


@dataclass(frozen=True, eq=False)
class _File:
    """What one file holds. exact: whether `plain.sequences` gives these records, read from its path."""

    source: Source
    form: SequenceFormat
    records: pl.DataFrame
    exact: bool
    gaps: bool
    notes: tuple[str, ...]


def format_in(source: Source) -> SequenceFormat | None:
    """Whether an unpacked file holds sequences; Refused where it is called a FASTA and has no header."""
    named = suffix_of(Path(source.location).name) in SEQUENCE_SUFFIXES
    head = source.head(HEAD)
    form = sequence_format(head, named=named)
    if form is None and named and is_bare_sequence(head):
        raise Refused(
            f"{source.location} has no > line, so nothing tells where a sequence begins; put a line such as '>name' "
            "above each."
        )
    return form


def read_sequences(
    location: str, sources: Sequence[Source], label: str | None, labels: Table | None, notes: Sequence[str]
) -> Table:
    """The records of files of sequences as columns id, sequence and, where something tells them, label.

    sources: of one file, of a pattern, or of a folder; there one that cannot be read is left out and named.
    label:   a regular expression whose group is the label in each header; without it the usual ones are tried, then
             the names of class folders, then those of the files.
    labels:  a table with a column id and the labels.
    notes:   what was noted before.

    Raises Refused for what is no file of sequences or is cut off, for proteins, and for labels that fit nothing.
    """
    said = list(notes)
    files = _readable(location, sources, said)
    told = _label(location, files, label, has_table=labels is not None)
    rows = sequence_rows([file.records for file in files], told.option)
    said += _notes_on_rows(rows)
    if empty := int((rows["sequence"] == "").sum()):
        said.append(f"{counted(empty, 'empty record')} {are(empty)} left out")
        rows = rows.filter(pl.col("sequence") != "")
    if rows.height == 0:
        raise Refused(f"{location} has headers and no sequences.")
    frame = rows if labels is None else with_labels_of(labels, rows, location, said)
    few = len(files) <= MOST_PATHS
    exact = few and labels is None and not empty and len({file.form for file in files}) == 1
    reading = Reading(
        location=location,
        name=short_name(location),
        paths=tuple(file.source.path for file in files if file.source.path) if few else (),
        reader=files[0].form,
        options={"label": told.option} if told.option and (few or isinstance(told.option, str)) else {},
        exact=exact and all(file.exact for file in files),
        summary=_summary(files, told),
    )
    return Table(frame, reading, tuple(said))


def _readable(location: str, sources: Sequence[Source], notes: list[str]) -> list[_File]:
    """What the files hold; one of a folder that cannot be read is left out and named, any other is refused."""
    files: list[_File] = []
    refusals: list[str] = []
    for source in sources:
        try:
            files.append(_file(source))
        except Refused as refusal:
            if not source.inner:
                raise
            refusals.append(str(refusal))
    if not files:
        raise Refused(f"{location}: none of its {whole(len(sources))} files can be read; {refusals[0]}")
    for file in files:
        notes += [f"{_name(file.source)}: {note}" if len(sources) > 1 else note for note in file.notes]
    if refusals:
        notes.append(
            f"{counted(len(refusals), 'file')} cannot be read and {are(len(refusals))} left out: {refusals[0]}"
        )
    return files


def _file(source: Source) -> _File:
    source, noted = unpack(source)
    form = format_in(source)
    if form is None:
        raise Refused(f"{source.location} is no file of sequences (FASTA or FASTQ).")
    notes = list(noted)
    content, exact = _content(source, notes)
    if form == "fastq" and (shorter := _without_blank_end(content)) is not None:
        content, exact = shorter, False
    lines = lines_of(BytesIO(content))
    starts = _starts_of(lines)
    if form == "fastq":
        _check_fastq(source.location, content, lines, starts, notes)
        number, is_sequence = np.arange(len(lines)) // 4 + 1, np.arange(len(lines)) % 4 == 1
        records = fastq_records(lines)
    else:
        is_head = lines.str.starts_with(">").to_numpy()
        number = np.cumsum(is_head)
        is_sequence = ~is_head & (number > 0)
        above = lines.head(int((number == 0).sum()))
        if (above != "").any():
            notes.append(f"what stands above the first > is skipped ({counted(len(above), 'line')})")
        records = fasta_records(lines)
    meaning = np.where(is_sequence, _meaning_of_lines(content, starts), 0)
    if len(odd := np.unique(number[meaning & _ODD > 0])):
        notes.append(_note_on_letters(source.location, records["sequence"], odd))
    if (meaning & _BLANK).any():
        records = records.with_columns(pl.col("sequence").str.replace_all(r"[ \t]", ""))
        exact = False
        notes.append("blanks among the letters of sequences are taken out")
    return _File(source, form, records, exact, bool((meaning & _GAP).any()), tuple(notes))


def _content(source: Source, notes: list[str]) -> tuple[bytes, bool]:
    """The text of a file with line feeds, as UTF-8, and whether `plain.sequences.lines_of` finds the same lines."""
    content = source.content()
    if len(content) > LARGEST_CONTENT:
        raise Refused(f"{source.location} holds more than 4 GB; split it and name the files by a pattern.")
    exact = source.path is not None and source.packed in _PLAIN_UNPACKS
    if source.path is not None and source.packed:
        exact &= not _is_padded(Path(source.path))
    if not content.isascii():  # far quicker to ask
        text = text_of(content, source.location)
        notes += text.notes
        exact &= not text.changed and text.encoding == "utf8" and not content.startswith(codecs.BOM_UTF8)
        content = text.content
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
        exact &= b"\r" not in content
    return content.replace(b"\r", b"\n"), exact  # as old Macs ended lines


def _is_padded(path: Path) -> bool:
    """Whether zeros stand behind a gzip, as tapes leave them: polars stumbles over these. The end of one has nine."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 10))
        return file.read() == bytes(10)


def _starts_of(lines: pl.Series) -> NDArray[np.int64]:
    """Where in the content each line starts, (lines,)."""
    after = np.cumsum(lines.str.len_bytes().to_numpy().astype(np.int64) + 1)
    return np.append(0, after[:-1])


def _meaning_of_lines(content: bytes, starts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """For each line all that its letters would mean in a sequence: the bits of `_MEANINGS`, block by block."""
    firsts = np.unique(np.searchsorted(starts, np.arange(0, len(content), BLOCK))).tolist()  # lines that begin a block
    found = []
    for first, after in pairwise([*(line for line in firsts if line < len(starts)), len(starts)]):
        end = starts[after] if after < len(starts) else len(content)
        block = np.frombuffer(content[starts[first] : end].translate(_MEANINGS), np.uint8)
        found.append(np.bitwise_or.reduceat(block, starts[first:after] - starts[first]))
    return np.concatenate(found)


def _note_on_letters(location: str, sequences: pl.Series, odd: NDArray[np.int64]) -> str:
    """What is said of the records whose numbers are `odd`. Raises Refused where the letters are those of proteins."""
    sample = "".join(sequences.head(_SAMPLE_RECORDS).str.slice(0, _SAMPLE_LETTERS)).upper()
    if sum(map(sample.count, PROTEIN_LETTERS)) > PROTEIN_SHARE * len(sample):
        raise Refused(
            f"{location}: this is protein, not DNA; give the nucleotide sequences, whose letters are A, C, G and T."
        )
    texts = "".join(sequences.gather(odd[:_SAMPLE_RECORDS] - 1).str.slice(0, LARGEST_CELL)).encode()
    letters = sorted(chr(letter) for letter in set(texts) if _MEANINGS[letter] == _ODD)
    shown = f" ({', '.join(map(repr, letters[:6]))})" if letters else ""
    return f"{numbered(odd.tolist(), 'record')} hold{'s' if len(odd) == 1 else ''} letters that are not DNA{shown}"


def _without_blank_end(content: bytes) -> bytes | None:
    """The same without blank lines at its end; None where there are none, or where the last record needs them."""
    if not content.endswith(b"\n\n"):
        return None
    shorter = content.rstrip(b"\n") + b"\n"
    return shorter if shorter.count(b"\n") % 4 == 0 else None


def _check_fastq(location: str, content: bytes, lines: pl.Series, starts: NDArray[np.int64], notes: list[str]) -> None:
    """Raises Refused, with its number, for the first record that is not whole; notes names that do not agree."""
    records = len(lines) // 4
    above, sequence, below, quality = (lines[line : 4 * records].gather_every(4) for line in range(4))
    strange = np.zeros(records, dtype=bool)
    numbers = np.searchsorted(starts, _strange_letters(content), side="right") - 1
    strange[numbers[(numbers % 4 == 3) & (numbers < 4 * records)] // 4] = True
    faults = {
        "does not begin with an @ line": ~above.str.starts_with("@"),
        "has no + line below its one line of sequence (several are not read)": ~below.str.starts_with("+"),
        "has a quality line of another length than its sequence": sequence.str.len_bytes() != quality.str.len_bytes(),
        "has a letter in its quality line that stands for no quality": pl.Series(strange),
    }
    bad = [(int(found.arg_true()[0]), what) for what, found in faults.items() if found.any()]
    if bad:
        record, what = min(bad, key=lambda fault: fault[0])
        raise Refused(f"{location}: record {whole(record + 1)} {what}; the file is damaged, fetch it again.")
    if len(lines) % 4:
        raise Refused(f"{location} ends in the middle of record {whole(records + 1)}; fetch it again.")
    other = ((below != "+") & (above.str.slice(1) != below.str.slice(1))).arg_true()
    if len(other):
        does = "does" if len(other) == 1 else "do"
        records_named = numbered((other + 1).to_list(), "record")
        notes.append(f"the + line of {records_named} {does} not repeat the name on the @ line; that one is kept")


def _strange_letters(content: bytes) -> NDArray[np.int64]:
    """Where letters stand that are neither printable ASCII nor a tab or line end."""
    text = np.frombuffer(content, np.uint8)
    blocks = [text[at : at + BLOCK] for at in range(0, len(text), BLOCK)]
    # Counting is far quicker than finding: what is below 32 wraps around, so all that is not printable is above 94.
    if sum(int(np.count_nonzero(block - 32 > 94)) for block in blocks) == content.count(b"\n"):
        return np.zeros(0, np.int64)
    found = []
    for number, block in enumerate(blocks):
        found.append(np.flatnonzero(((block < 32) & (block != 9) & (block != 10)) | (block > 126)) + number * BLOCK)
    return np.concatenate(found)


def _label(location: str, files: Sequence[_File], label: str | None, *, has_table: bool) -> Label:
    """Where the labels come from: what was asked for, then the headers, then class folders, then the files' names."""
    if label is not None and has_table:
        raise Refused("--label and --labels are two places of labels; choose one.")
    headers = pl.concat(file.records["header"] for file in files)
    if label is not None:
        return label_by_pattern(label, headers, location)
    if has_table:
        return Label(None, "label by a second table")
    if found := label_found(headers):
        return found
    inner = [file.source.inner for file in files]
    if all("/" in path for path in inner):
        return Label([path.partition("/")[0] for path in inner], "label by folder")
    names = [short_name(file.source.location) for file in files]
    if len(set(names)) < 2:
        return Label()
    check_no_parts(location, set(names))
    return Label(names, "label by file name")


def _notes_on_rows(rows: pl.DataFrame) -> list[str]:
    notes = []
    ids = rows["id"].filter(rows["id"] != "")
    if unnamed := rows.height - len(ids):
        notes.append(f"{counted(unnamed, 'record')} {'has' if unnamed == 1 else 'have'} no name behind the >")
    if ids.n_unique() < len(ids):
        twice = ids.filter(ids.is_duplicated()).unique(maintain_order=True).to_list()
        stands = "id stands" if len(twice) == 1 else "ids stand"
        notes.append(f"{whole(len(twice))} {stands} more than once ({listed(twice)})")
    if "label" in rows.columns and (lacking := rows["label"].null_count()):
        notes.append(f"{counted(lacking, 'header')} of {whole(rows.height)} {are(lacking)} without a label")
    return notes


def _name(source: Source) -> str:
    return source.inner or Path(source.location).name


def _summary(files: Sequence[_File], told: Label) -> str:
    """In few words: "2 files, FASTA, gzip, label by file name"."""
    several = [f"{whole(len(files))} files"] if len(files) > 1 else []
    forms = " and ".join(sorted({file.form.upper() for file in files}))
    said = [told.said] if told.said else []
    gaps = ["with gaps"] if any(file.gaps for file in files) else []
    return ", ".join([*several, forms, *files[0].source.packed, *said, *gaps])
