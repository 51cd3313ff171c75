"""Bytes to text: which encoding they are in, found out from the bytes, and said.

In: the bytes of a text file. Out: the same text as UTF-8 with "\\n" or "\\r\\n" at the line ends.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal

from firstlight.refusal import Refused
from firstlight.wording import whole

# The names that polars and Python know these encodings by.
Encoding = Literal["utf8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
SPOKEN = {"utf8": "utf-8", "cp1252": "Latin-1 (Windows-1252)", "latin-1": "Latin-1"}
# Letters that no text holds: control characters but tab, line ends and form feed. More than this share: no text.
_CONTROL = bytes(set(range(32)) - {9, 10, 12, 13, 26})
LARGEST_CONTROL_SHARE = 0.02
_SAMPLE = 2**16
# Zero-width and direction marks, soft hyphen, no-break space: they part what looks alike.
HIDDEN = "\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u00ad\u00a0"


@dataclass(frozen=True, eq=False)
class Text:
    """content: UTF-8. changed: whether it says anything else than the file in its encoding does."""

    content: bytes
    encoding: Encoding
    changed: bool
    notes: tuple[str, ...]


def text_of(content: bytes, location: str) -> Text:
    """The text in the bytes. Raises Refused where they are no text."""
    encoding = _encoding_by_marks(content)
    if encoding is None and _control_share(content[:_SAMPLE]) > LARGEST_CONTROL_SHARE:
        raise Refused(f"{location} is not text and no table that is known here; give a csv, xlsx or parquet file.")
    notes: list[str] = []
    if encoding in ("utf-16-le", "utf-16-be"):
        notes.append(f"the file is taken for {encoding.upper()}, which it does not say itself")
    decoded, encoding, changed = _as_utf8(content, encoding, notes)
    return _without_oddities(decoded, encoding, changed, notes)


def _encoding_by_marks(content: bytes) -> Encoding | None:
    """By a byte order mark, or by the zero bytes that plain letters leave in UTF-16."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = content[:_SAMPLE]
    pairs = len(sample) // 2
    if pairs < 4:
        return None
    first, second = sample[0::2].count(0) / pairs, sample[1::2].count(0) / pairs
    if second > 0.7 and first < 0.05:
        return "utf-16-le"
    return "utf-16-be" if first > 0.7 and second < 0.05 else None


def _control_share(sample: bytes) -> float:
    return (len(sample) - len(sample.translate(None, _CONTROL))) / max(len(sample), 1)


def _as_utf8(content: bytes, encoding: Encoding | None, notes: list[str]) -> tuple[bytes, Encoding, bool]:
    if encoding is not None:
        try:
            return content.decode(encoding).encode("utf-8"), encoding, False
        except UnicodeError:
            notes.append(f"some letters are damaged {encoding.upper()}; a replacement mark stands for each")
            return content.decode(encoding, errors="replace").encode("utf-8"), encoding, True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _from_single_bytes(content, notes)
    return content.removeprefix(codecs.BOM_UTF8), "utf8", False


def _from_single_bytes(content: bytes, notes: list[str]) -> tuple[bytes, Encoding, bool]:
    """Latin-1 or Windows-1252, unless some of the lines beyond plain ASCII are UTF-8: then each line is read alone."""
    lines = content.split(b"\n")
    utf8, other = 0, 0
    for line in lines:
        if not line.isascii():
            utf8, other = (utf8 + 1, other) if _is_utf8(line) else (utf8, other + 1)
    if utf8:
        notes.append(f"two encodings in one file: {utf8:,} lines are UTF-8, {whole(other)} are read as Latin-1")
        mended = [line if _is_utf8(line) else _latin(line).encode("utf-8") for line in lines]
        return b"\n".join(mended).removeprefix(codecs.BOM_UTF8), "utf8", True
    notes.append("the file is not UTF-8; it is read as Latin-1 (Windows-1252)")
    try:
        return content.decode("cp1252").encode("utf-8"), "cp1252", False
    except UnicodeDecodeError:
        return content.decode("latin-1").encode("utf-8"), "latin-1", False


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _latin(line: bytes) -> str:
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _without_oddities(content: bytes, encoding: Encoding, changed: bool, notes: list[str]) -> Text:
    """NUL bytes go; a file of an old Mac, with CR alone at the line ends, gets LF."""
    if nuls := content.count(b"\0"):
        content, changed = content.replace(b"\0", b""), True
        notes.append(f"{whole(nuls)} NUL bytes were removed")
    if b"\n" not in content and b"\r" in content:
        content, changed = content.replace(b"\r", b"\n"), True
    if re.search(rb"\x1a\s*\Z", content[-16:]):  # what DOS put at the end of a file
        content, changed = content.rstrip().removesuffix(b"\x1a"), True
    return Text(content, encoding, changed, tuple(notes))
