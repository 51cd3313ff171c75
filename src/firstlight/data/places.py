"""Where a source lies: the one file, the several of a pattern, standard input, or a refusal that names the nearest.

This module loads nothing but the standard library, so that a wrong path is answered at once.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from firstlight.data.folders import PACKED_SUFFIXES, Contents, contents_of
from firstlight.refusal import Refused, nearest

STANDARD_INPUT = "-"
PATTERN_LETTERS = frozenset("*?[")
# A folder may hold a million files; the nearest name is looked for among this many.
NAMES_LOOKED_AT = 2000


@dataclass(frozen=True, eq=False)
class Source:
    """One file or pipe.

    location: as the person gave it, for messages.
    name:     short name: "penguins".
    path:     the file, or None where there is none that a reader could open.
    held:     the bytes where they are not simply those of the file: from a pipe, or unpacked.
    packed:   how the bytes were packed in the file, outermost first: ("gzip",).
    inner:    the path inside the folder that was given, with "/"; empty where the file itself was.
    archive, member: the zip archive that it lies in, and its name there; empty where it lies in none.
    """

    location: str
    name: str
    path: str | None
    held: bytes | None = None
    packed: tuple[str, ...] = ()
    inner: str = ""
    archive: str = ""
    member: str = ""

    def head(self, size: int) -> bytes:
        """The first bytes, to tell the format by."""
        if self.held is not None or self.member:
            return self.content()[:size]
        try:
            with Path(self.path or "").open("rb") as stream:
                return stream.read(size)
        except OSError as error:
            raise unreadable(self.location, error) from error

    def content(self) -> bytes:
        """All bytes."""
        if self.held is not None:
            return self.held
        if self.member:
            from firstlight.data.archive import content_in_archive

            return content_in_archive(self.archive, self.member)
        try:
            return Path(self.path or "").read_bytes()
        except OSError as error:
            raise unreadable(self.location, error) from error

    def unpacked(self, content: bytes, how: str) -> Source:
        """The same source after one layer of packing."""
        return replace(self, held=content, packed=(*self.packed, how))


class Unreadable(Refused):
    """A file that the operating system does not give; nothing is known of what is in it."""


def unreadable(location: str, error: OSError) -> Unreadable:
    """An error of the operating system as one sentence."""
    return Unreadable(f"{location} cannot be read: {(error.strerror or str(error)).lower()}.")


def sources_at(location: str) -> list[Source]:
    """The files that a path, a pattern, a folder or an archive names, sorted by name; "-" is standard input.

    Raises Refused for a missing file (naming the nearest), a folder of files that are not read, a device, a pattern
    that matches nothing, and an address on a network.
    """
    if location == STANDARD_INPUT:
        return [Source(location, "input", None, held=sys.stdin.buffer.read())]
    if "://" in location:
        raise Refused(
            f"{location} is an address; firstlight reads files, sqlite:///file.db?table=name and standard input."
        )
    path = Path(location)
    try:
        if not path.exists() and PATTERN_LETTERS & set(location):
            return [_source(part) for part in _matches(location)]
        if (contents := contents_of(location)) is not None:
            return [source_inside(contents, inner) for inner in contents.files]
        return [_source(location)]
    except OSError as error:
        raise unreadable(location, error) from error


def source_inside(contents: Contents, inner: str) -> Source:
    """A file inside a folder or an archive that was looked through."""
    location = f"{contents.place}/{inner}"
    if not contents.archive:
        return replace(_source(location), inner=inner)
    member = f"{location.removeprefix(contents.archive).lstrip('/')}"
    return Source(location, short_name(inner), None, inner=inner, archive=contents.archive, member=member)


def file_at(location: str) -> str:
    """`location` itself where it names a file or a pipe; else a refusal with what to do."""
    path = Path(location)
    if not location or "\0" in location:
        raise Refused("the name of the source is empty; give the path of a table.")
    if path.is_dir():
        raise Refused(f"{location} is a folder; name a file in it, or a pattern such as '{path / '*.csv'}'.")
    if not path.exists():
        raise _missing(path)
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
        raise Refused(f"{location} is a device, not a file; give the path of a table.")
    return location


def gives_once(location: str) -> bool:
    """Whether it is standard input or a pipe: what was read from there cannot be read again."""
    return location == STANDARD_INPUT or Path(location).is_fifo()


def short_name(location: str) -> str:
    """The name of a file without its endings, fit for messages and for a folder: "data/a.csv.gz" gives "a"."""
    path = Path(location)
    while path.suffix.lower() in PACKED_SUFFIXES:
        path = path.with_suffix("")
    stem = "".join(letter for letter in path.stem if letter not in PATTERN_LETTERS and letter != "]")
    return stem.strip(" -_.") or path.parent.name or "table"


def _source(location: str) -> Source:
    path = Path(file_at(location))
    # Some readers take brackets in a path for a pattern, and a pipe can be read once only: such are read here.
    if path.is_fifo() or PATTERN_LETTERS & set(location):
        return Source(location, short_name(location), None, held=path.read_bytes())
    return Source(location, short_name(location), location)


def _matches(pattern: str) -> list[str]:
    """The files that a pattern names, sorted, so that their order never depends on the disk."""
    place = Path(pattern)
    anchor = Path(place.anchor) if place.is_absolute() else Path()
    try:
        found = sorted(str(path) for path in anchor.glob(str(place.relative_to(anchor))) if path.is_file())
    except ValueError as error:
        raise Refused(f"{pattern} is not a pattern of file names: {error}.") from error
    if not found:
        raise Refused(f"no file matches {pattern}.")
    return found


def _missing(path: Path) -> Refused:
    folder = path.parent
    if not folder.is_dir():
        beside = islice(folder.parent.iterdir(), NAMES_LOOKED_AT) if folder.parent.is_dir() else ()
        near = _nearest(filter(Path.is_dir, beside), folder.name)
        hint = f"; did you mean {str(near / path.name)!r}?" if near else "."
        return Refused(f"there is no folder {str(folder)!r}{hint}")
    near = _nearest(islice(folder.iterdir(), NAMES_LOOKED_AT), path.name)
    hint = f"; did you mean {str(near)!r}?" if near else "; check the path."
    return Refused(f"there is no file {str(path)!r}{hint}")


def _nearest(paths: Iterable[Path], wanted: str) -> Path | None:
    by_name = {path.name: path for path in paths}
    near = nearest(wanted, sorted(by_name))
    return by_name[near] if near else None
