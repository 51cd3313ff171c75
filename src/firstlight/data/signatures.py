"""How the formats begin: by this a file is known, whatever its name says. Nothing heavy is loaded for it."""

from __future__ import annotations

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of xls files, and of protected ones
PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
SQLITE = b"SQLite format 3\0"


def is_workbook(head: bytes) -> bool:
    """Whether a file begins as a workbook does; a zip that is none has been unpacked before."""
    return head.startswith((ZIP, OLE))


def looks_like_json(head: bytes) -> bool:
    """Whether a text begins as an object or as a list of objects or lists."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(b"{") or (head.startswith(b"[") and head[1:].lstrip()[:1] in (b"{", b"[", b"]", b""))
