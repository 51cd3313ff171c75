"""What lies in a folder, or in a zip archive, that is given as a source: pictures, videos, sequences or texts.

The names alone tell: nothing is opened and nothing heavy is loaded, so that a wrong path is answered at once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from firstlight.data.wording import are, listed
from firstlight.refusal import Refused
from firstlight.wording import counted

Holds: TypeAlias = Literal["pictures", "videos", "sequences", "texts"]

PACKED_SUFFIXES = (".gz", ".zst", ".bz2", ".xz", ".zip")
SEQUENCE_SUFFIXES = (".fa", ".fasta", ".fna", ".ffn", ".frn", ".fas", ".fsa", ".faa", ".fq", ".fastq")
TEXT_SUFFIX = ".txt"
PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".jp2", ".j2k", ".ppm",
    ".pgm", ".pbm", ".pnm", ".tga", ".avif", ".svg", ".gif",
)  # fmt: skip
VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".avi", ".mov", ".webm", ".mkv", ".ts", ".mts", ".wmv", ".asf", ".ogv", ".flv", ".mpg", ".mpeg",
    ".3gp",
)  # fmt: skip
EITHER = ".gif"  # a picture among pictures, a video among videos
SUFFIXES: Mapping[Holds, tuple[str, ...]] = {
    "pictures": PICTURE_SUFFIXES, "videos": VIDEO_SUFFIXES, "sequences": SEQUENCE_SUFFIXES, "texts": (TEXT_SUFFIX,),
}  # fmt: skip
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".xlsx", ".jsonl", ".ndjson", ".arrow", ".feather")
# What systems add to a folder for themselves; so do all names that begin with a dot.
JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx", "icon\r"})
ARRAYS = "images-idx3"  # stands in the names of the arrays of pictures of MNIST and its like
TRAINING_NAMES = frozenset({"train", "training"})


@dataclass(frozen=True)
class Contents:
    """What is read of a folder or an archive.

    holds:   what most of its files are.
    place:   the folder in which they lie: the one that was given, or one inside it that wraps all of them.
    files:   their paths inside that place, with "/", sorted.
    tables:  the tables beside them, which may name them.
    notes:   what is left out.
    archive: the zip archive, where it is one.
    """

    holds: Holds
    place: str
    files: tuple[str, ...]
    tables: tuple[str, ...]
    notes: tuple[str, ...]
    archive: str


def suffix_of(name: str) -> str:
    """The ending of a file's name in lower case, that of its packing left aside: "A.FA.gz" gives ".fa"."""
    path = PurePosixPath(name.lower())
    while path.suffix in PACKED_SUFFIXES:
        path = path.with_suffix("")
    return path.suffix


def contents_of(location: str) -> Contents | None:
    """The files of a folder or archive, of the kind that most of them are; None where most are of no kind that is read.

    Files that lie in folders, one for each class, are read without those beside these folders. Links that lead out of
    the folder are not followed. Raises Refused for a folder that holds a training and a test part.
    """
    if not location or "\0" in location:
        return None
    archive = ""
    path = Path(location)
    if path.is_file() and (alone := _kind_of(path.name)) in ("pictures", "videos"):
        return Contents(alone, path.parent.as_posix(), (path.name,), (), (), "")
    if path.is_dir():
        files, strays = _found_in(path)
        _refuse_arrays(location, files)
    elif (found := _in_archive(location)) is not None:
        archive, files, strays = *found, []
    else:
        return None
    by_kind: dict[Holds | None, list[str]] = {holds: [] for holds in (*SUFFIXES, None)}
    for file in files:
        by_kind[_kind_of(file)].append(file)
    holds = max(SUFFIXES, key=lambda kind: len(by_kind[kind]))
    kept = by_kind[holds]
    if holds == "videos":
        kept = sorted([*kept, *(file for file in by_kind["pictures"] if file.lower().endswith(EITHER))], key=_parts)
    tables = [file for file in by_kind[None] if suffix_of(file) in TABLE_SUFFIXES]
    if not kept or len(by_kind[None]) - len(tables) > len(files) // 2:
        return None
    if archive and len(files) == 1 and holds in ("sequences", "texts"):
        return None  # a file that was packed
    wrapping = _wrapping(kept)
    place = "/".join([location.rstrip("/"), *wrapping])
    inside = f"{'/'.join(wrapping)}/" if wrapping else ""
    kept = [file.removeprefix(inside) for file in kept]
    folders = {file.partition("/")[0] for file in kept if "/" in file}
    check_no_parts(place, folders)
    if folders:
        kept = [file for file in kept if "/" in file]
    others = sorted(set(files) - {inside + file for file in kept})
    return Contents(
        holds, place, tuple(kept), tuple(table.removeprefix(inside) for table in tables),
        tuple(_notes(others, strays, folders)), archive,
    )  # fmt: skip


def _refuse_arrays(location: str, files: Sequence[str]) -> None:
    """Raises Refused for the folder of MNIST and of data sets like it, with what to name in it."""
    arrays = [file for file in files if ARRAYS in file]
    if not arrays:
        return
    training = next((file for file in arrays if "train" in file), arrays[0])
    tests = [f" --test {location}/{file}" for file in arrays if file != training]
    raise Refused(f"{location} holds arrays of pictures; name the file: {location}/{training}{''.join(tests[:1])}.")


def _notes(others: Sequence[str], strays: Sequence[str], folders: Iterable[str]) -> Iterator[str]:
    if others:
        yield f"{counted(len(others), 'other file')} {are(len(others))} left out ({listed(others)})"
    if strays:
        yield f"{counted(len(strays), 'link')} {are(len(strays))} not followed ({listed(strays)})"
    folded = [folder.lower() for folder in folders]
    alike = sorted(folder for folder in folders if folded.count(folder.lower()) > 1)
    if alike:
        yield f"folders that differ only in case are two classes ({listed(alike)})"


def _in_archive(location: str) -> tuple[str, list[str]] | None:
    """The zip archive at a path and the files in it, or in a folder of it; None for other files, workbooks say."""
    from firstlight.data.archive import archive_at, files_in_archive, is_cut_off

    path = Path(location)
    if path.suffix.lower() == ".zip" and path.is_file() and is_cut_off(location):
        raise Refused(f"{location} is cut off: the list of its files, at its end, is gone; fetch it again.")
    found = archive_at(location)
    if found is None or Path(found[0]).suffix.lower() != ".zip":
        return None
    files = [file for file in files_in_archive(*found) if not any(map(_is_junk, file.split("/")))]
    if not files and found[1]:
        raise Refused(f"there is no folder {found[1]!r} in {found[0]}.")
    return found[0], sorted(files, key=_parts)


def _parts(file: str) -> list[str]:
    return file.split("/")


def _wrapping(files: Sequence[str]) -> list[str]:
    """The folders that hold nothing but one other folder with all files in it: of "set/ants/1.jpg", the set."""
    wrapping: list[str] = []
    parts = [file.split("/") for file in files]
    while all(len(each) > 2 for each in parts) and len({each[0] for each in parts}) == 1:
        wrapping.append(parts[0][0])
        parts = [each[1:] for each in parts]
    return wrapping


def check_no_parts(location: str, names: Iterable[str]) -> None:
    """Raises Refused where one of the names of folders or files says "train": those are parts and no classes."""
    parts = sorted(names)
    training = [name for name in parts if name.lower() in TRAINING_NAMES]
    if training and len(parts) > 1:
        test = next((name for name in parts if name not in training), "")
        raise Refused(
            f"{location} holds parts of a data set, not classes ({listed(parts)}); name the one to learn from and the "
            f"one to test on: {location}/{training[0]} --test {location}/{test}."
        )


def _kind_of(file: str) -> Holds | None:
    suffix = suffix_of(file)
    return next((holds for holds, suffixes in SUFFIXES.items() if suffix in suffixes), None)


def _found_in(folder: Path) -> tuple[list[str], list[str]]:
    """The paths inside the folder of its files and of links that are not followed, sorted part by part."""
    files: list[str] = []
    strays: list[str] = []
    root = folder.resolve()
    for path, is_folder in _walked(folder):
        inner = path.relative_to(folder).as_posix()
        if path.is_symlink() and (is_folder or not path.resolve().is_relative_to(root)):
            strays.append(inner)
        elif not is_folder and path.exists() and stat.S_ISREG(path.stat().st_mode):
            files.append(inner)
    return sorted(files, key=_parts), sorted(strays)


def _walked(folder: Path) -> Iterator[tuple[Path, bool]]:
    """All files and folders below a folder, but for junk, and whether each is a folder; a link is not gone into."""

    def stop(error: OSError) -> None:
        raise error

    for where, folders, files in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not _is_junk(name)]
        yield from ((Path(where, name), True) for name in folders)
        yield from ((Path(where, name), False) for name in files if not _is_junk(name))


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in JUNK
