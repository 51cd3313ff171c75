"""How the formats begin: by this a file is known, whatever its name says. Nothing heavy is loaded for it."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from firstlight.data.places import Source

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of xls files, and of protected ones
PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
SQLITE = b"SQLite format 3\0"

ArrayFormat: TypeAlias = Literal["idx", "npy", "npz"]
NUMPY = b"\x93NUMPY"
# IDX: two zeros, the type of the numbers (8 is a byte), how many dimensions, then each of them.
IDX_IMAGES = (b"\0\0\x08\x03", b"\0\0\x08\x04")

SequenceFormat: TypeAlias = Literal["fasta", "fastq"]
# A header, then a line of bases or many capital letters, or the next header; before it comments, as of old, or blanks.
_FASTA = re.compile(
    r"\s*(?:;[^\r\n]*\s+)*>[^\r\n]*[\r\n]\s*"
    r"(?:>|$|(?:[ACGTURYSWKMBDHVN.-]+|[acgturyswkmbdhvn.-]+|[A-Z*-]{10,}|[A-Za-z*.-]{40,})[ \t]*(?:[\r\n]|$))"
)
_NAMED_FASTA = re.compile(r"\s*(?:;[^\r\n]*\s+)*>")
_FASTQ = re.compile(r"\s*@[^\r\n]*(?:\r\n|\r|\n)[A-Za-z.*-]*(?:$|(?:\r\n|\r|\n)(?:\+|$))")
_LETTERS = re.compile(r"[A-Za-z*\s-]+")


def is_workbook(head: bytes) -> bool:
    """Whether a file begins as a workbook does; a zip that is none has been unpacked before."""
    return head.startswith((ZIP, OLE))


def looks_like_json(head: bytes) -> bool:
    """Whether a text begins as an object or as a list of objects or lists."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(b"{") or (head.startswith(b"[") and head[1:].lstrip()[:1] in (b"{", b"[", b"]", b""))


def array_format(source: Source) -> ArrayFormat | None:
    """Whether a file, unpacked but for npz, holds arrays, and how."""
    head = source.head(6)
    if head.startswith(NUMPY):
        return "npy"
    if head.startswith(IDX_IMAGES):
        return "idx"
    return "npz" if source.location.lower().endswith(".npz") and head.startswith(ZIP) else None


def sequence_format(head: bytes, *, named: bool) -> SequenceFormat | None:
    """Whether a file begins as a FASTA or FASTQ does. named: its name says so, which lets odd letters pass."""
    text = _as_text(head)
    if _FASTA.match(text) or (named and _NAMED_FASTA.match(text)):
        return "fasta"
    return "fastq" if _FASTQ.match(text) else None


def is_bare_sequence(head: bytes) -> bool:
    """Whether a file begins with the letters of a sequence, and no header."""
    return _LETTERS.fullmatch(_as_text(head)) is not None


def _as_text(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", errors="ignore")
    return head.removeprefix(codecs.BOM_UTF8).decode("latin-1")
