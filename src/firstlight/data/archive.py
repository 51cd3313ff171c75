"""A zip archive that holds many files: they are read one by one, and none is ever unpacked onto the disk."""

from __future__ import annotations

import stat
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath

from firstlight.data.wording import listed
from firstlight.refusal import Refused
from firstlight.wording import whole

# All that Python's zipfile raises over a file that is cut off, damaged or of a later version.
ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, NotImplementedError)
# Pictures, videos and texts pack to a hundredth at most; what is small may.
LARGEST_RATIO = 100
SMALL_BYTES = 2**23
_BACKSLASH = "\\"


def archive_at(location: str) -> tuple[str, str] | None:
    """The zip file that a path names or leads into, and the path inside it, "" for all of it; None for other paths."""
    path = Path(location)
    for place in (path, *path.parents):
        if place.is_file():
            inside = path.relative_to(place).as_posix()
            return (str(place), "" if inside == "." else inside) if zipfile.is_zipfile(place) else None
        if place.exists():
            return None
    return None


def is_cut_off(location: str) -> bool:
    """Whether a file begins as a zip archive does and lacks the list of its members, which stands at its end."""
    path = Path(location)
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04" and not zipfile.is_zipfile(path)


def files_in_archive(archive: str, inner: str) -> list[str]:
    """The names of the files in an archive, or in a folder of it, relative to that.

    Raises Refused for a name that leads out of the archive, for a link, a password, and for what unpacks to far more
    than pictures do.
    """
    try:
        members = [member for member in _opened(archive, _version(archive)).infolist() if not member.is_dir()]
    except ZIP_DAMAGE as error:
        raise Refused(
            f"{archive} is cut off or damaged: it cannot be opened as a zip archive; fetch it again."
        ) from error
    for member in members:
        _refuse_unsafe(archive, member)
    size, packed = (sum(sizes) for sizes in ([m.file_size for m in members], [m.compress_size for m in members]))
    claimed = max((m.file_size / max(m.compress_size, 1) for m in members if m.file_size > SMALL_BYTES), default=0)
    if size > SMALL_BYTES and max(size / max(packed, 1), claimed) > LARGEST_RATIO:
        times = whole(round(max(size / max(packed, 1), claimed)))
        raise Refused(f"{archive} unpacks to {times} times its size, which no pictures or texts do; it is not opened.")
    start = f"{inner}/" if inner else ""
    return [member.filename.removeprefix(start) for member in members if member.filename.startswith(start)]


def _refuse_unsafe(archive: str, member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename)
    if name.is_absolute() or ".." in name.parts or _BACKSLASH in member.filename or ":" in name.parts[0]:
        raise Refused(f"{archive} holds a name that leads out of the folder ({listed([member.filename])}).")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise Refused(f"{archive} holds a link ({listed([member.filename])}), and a link is not a picture or a text.")
    if member.flag_bits & 1:
        raise Refused(f"{archive} is protected by a password; unpack it first.")


def content_in_archive(archive: str, name: str) -> bytes:
    """The bytes of one file. Raises Refused where it is damaged."""
    try:
        return _opened(archive, _version(archive)).read(name)
    except ZIP_DAMAGE as error:
        raise Refused(f"{archive}/{name} is damaged in the archive; fetch it again.") from error


def _version(archive: str) -> tuple[int, int]:
    told = Path(archive).stat()
    return told.st_mtime_ns, told.st_size


@lru_cache(maxsize=4)
def _opened(archive: str, version: tuple[int, int]) -> zipfile.ZipFile:
    """An open archive, whose list of members is read once; version: a changed file is opened anew."""
    return zipfile.ZipFile(archive)
