"""Unpacking: gzip, bzip2, xz, zstd and a zip that holds one file, told by their first bytes and never by the name.

What comes out is bounded before it is made, whatever the packed file claims about itself.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import IO

from firstlight.data.places import STANDARD_INPUT, Source
from firstlight.data.signatures import ZIP
from firstlight.data.wording import listed
from firstlight.refusal import Refused
from firstlight.wording import counted, whole

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# A table of one repeated row packs to a thousandth, so that much is honest. What is small may unpack to this many
# bytes whatever its packed size; beyond, to at most this many times its packed size.
SMALL_BYTES = 64 * 2**20
LARGEST_RATIO = 1000
# From here on a note says how many times its size a file unpacks to.
NOTABLE_RATIO = 200
# Packed twice by mistake happens; more layers are somebody's joke.
MOST_LAYERS = 2
_BLOCK = 2**20

GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
# All that Python's zipfile raises over a file that is cut off, damaged or of a later version.
ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
# What only a zip that is a document of its own holds: a workbook of Excel, or of LibreOffice.
_DOCUMENT_PARTS = ("[Content_Types].xml", "mimetype", "xl/workbook.bin", "xl/workbook.xml")


def unpack(source: Source) -> tuple[Source, list[str]]:
    """The source with all packing taken off, and notes on what was odd about it.

    Raises Refused where the file is empty, or the packed file is cut off or damaged, unpacks to too much, is protected
    by a password, or is a zip of several files.
    """
    if not source.head(1):
        what = "standard input" if source.location == STANDARD_INPUT else source.location
        raise Refused(f"{what} is empty.")
    if not _packing(source):
        return source, []
    notes: list[str] = []
    size = len(source.content())
    while how := _packing(source):
        if len(source.packed) == MOST_LAYERS:
            raise Refused(f"{source.location} is packed more than {MOST_LAYERS} times over; unpack it first.")
        limit = max(SMALL_BYTES, LARGEST_RATIO * size)
        source = source.unpacked(_unpacked(source, how, limit), how)
    if len(source.packed) > 1:
        notes.append(f"the file is packed {len(source.packed)} times over ({', '.join(source.packed)})")
    if source.held is not None and len(source.held) > NOTABLE_RATIO * size:
        notes.append(f"the file unpacks to {whole(round(len(source.held) / size))} times its size")
    return source, notes


def check_document(location: str, content: bytes) -> None:
    """A workbook is a zip too: refused where its own list of parts says that they unpack to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except ZIP_DAMAGE as error:
        raise Refused(f"{location} is a workbook that is cut off or damaged; fetch it again.") from error
    if size > max(SMALL_BYTES, LARGEST_RATIO * len(content)):
        raise _too_large(location)


def _packing(source: Source) -> str | None:
    head = source.head(6)
    for magic, how in ((GZIP, "gzip"), (BZIP2, "bzip2"), (XZ, "xz"), (ZSTD, "zstd")):
        if head.startswith(magic):
            return how
    return "zip" if head.startswith(ZIP) and not _is_document(source) else None


def _is_document(source: Source) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(source.content())) as archive:
            names = set(archive.namelist())
    except ZIP_DAMAGE:
        # Cut off: the list of members at its end is gone, but their names also stand before each member.
        return any(part in source.content() for part in (b"[Content_Types].xml", b"docProps/", b"content.xml", b"xl/"))
    return any(part in names for part in _DOCUMENT_PARTS)


def _unpacked(source: Source, how: str, limit: int) -> bytes:
    packed = io.BytesIO(source.content())
    openers: dict[str, Callable[[], io.BufferedIOBase | IO[bytes]]] = {
        "gzip": lambda: gzip.GzipFile(fileobj=packed),
        "bzip2": lambda: bz2.BZ2File(packed),
        "xz": lambda: lzma.LZMAFile(packed),
        "zstd": lambda: zstd.ZstdFile(packed),
        "zip": lambda: _only_member(source.location, packed),
    }
    try:
        with openers[how]() as stream:
            return _bounded(stream, limit, source.location)
    except EOFError as error:
        raise Refused(f"{source.location} is cut off: the {how} file is not whole; fetch it again.") from error
    except (lzma.LZMAError, zstd.ZstdError, *ZIP_DAMAGE) as error:
        raise Refused(f"{source.location} is a damaged {how} file; fetch it again.") from error


def _bounded(stream: io.BufferedIOBase | IO[bytes], limit: int, location: str) -> bytes:
    """All bytes of the stream, given up as soon as they are more than the limit."""
    blocks: list[bytes] = []
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > limit:
            raise _too_large(location)
        blocks.append(block)
    return b"".join(blocks)


def _too_large(location: str) -> Refused:
    return Refused(
        f"{location} unpacks to more than {whole(LARGEST_RATIO)} times its size, which no honest table does; "
        "unpack it yourself if you trust it."
    )


def _only_member(location: str, packed: io.BytesIO) -> IO[bytes]:
    """The one file in a zip; what a Mac or Windows adds for itself does not count. Its name is never used."""
    archive = zipfile.ZipFile(packed)
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and not member.filename.startswith("__MACOSX/")
        and member.filename.rpartition("/")[2] not in (".DS_Store", "Thumbs.db", "desktop.ini")
    ]
    if len(members) != 1:
        names = f" ({listed([member.filename for member in members])})" if members else ""
        raise Refused(
            f"{location} is a zip of {counted(len(members), 'file')}{names}; a table is one file: unpack it and name "
            "the one you mean."
        )
    if members[0].flag_bits & 1:
        raise Refused(f"{location} is protected by a password; unpack it first.")
    try:
        return archive.open(members[0])
    except NotImplementedError as error:
        raise Refused(f"{location} is packed in a way that is not known here; unpack it first.") from error
