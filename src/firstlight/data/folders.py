"""What lies in a folder that is given as a source: files of sequences, or text files, and what to leave alone.

Nothing is opened and nothing heavy is loaded: the names alone tell, so that a wrong path is answered at once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from firstlight.data.wording import are, listed
from firstlight.refusal import Refused
from firstlight.wording import counted

Holds: TypeAlias = Literal["sequences", "texts"]

PACKED_SUFFIXES = (".gz", ".zst", ".bz2", ".xz", ".zip")
SEQUENCE_SUFFIXES = (".fa", ".fasta", ".fna", ".ffn", ".frn", ".fas", ".fsa", ".faa", ".fq", ".fastq")
TEXT_SUFFIX = ".txt"
# What systems add to a folder for themselves; so do all names that begin with a dot.
JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx", "icon\r"})
TRAINING_NAMES = frozenset({"train", "training"})


@dataclass(frozen=True)
class Contents:
    """holds: what is read of a folder. files: their paths inside it, with "/", sorted. notes: what is left out."""

    holds: Holds
    files: tuple[str, ...]
    notes: tuple[str, ...]


def suffix_of(name: str) -> str:
    """The ending of a file's name in lower case, that of its packing left aside: "A.FA.gz" gives ".fa"."""
    path = PurePosixPath(name.lower())
    while path.suffix in PACKED_SUFFIXES:
        path = path.with_suffix("")
    return path.suffix


def contents_of(location: str) -> Contents | None:
    """The files of a folder, of the kind that most of them are; None where most are neither sequences nor texts.

    Files that lie in folders, one for each class, are read without those beside these folders. Links that lead out of
    the folder are not followed. Raises Refused for a folder that holds a training and a test part.
    """
    files, strays = _found_in(Path(location))
    by_kind: dict[Holds | None, list[str]] = {"sequences": [], "texts": [], None: []}
    for file in files:
        by_kind[_kind_of(file)].append(file)
    holds: Holds = "sequences" if len(by_kind["sequences"]) >= len(by_kind["texts"]) else "texts"
    kept = by_kind[holds]
    if not kept or len(by_kind[None]) > len(files) // 2:
        return None
    folders = {file.partition("/")[0] for file in kept if "/" in file}
    check_no_parts(location, folders)
    if folders:
        kept = [file for file in kept if "/" in file]
    others = sorted(set(files) - set(kept))
    notes = []
    if others:
        notes.append(f"{counted(len(others), 'other file')} {are(len(others))} left out ({listed(others)})")
    if strays:
        notes.append(f"{counted(len(strays), 'link')} {are(len(strays))} not followed ({listed(strays)})")
    return Contents(holds, tuple(kept), tuple(notes))


def check_no_parts(location: str, names: Iterable[str]) -> None:
    """Raises Refused where one of the names of folders or files says "train": those are parts and no classes."""
    parts = sorted(names)
    training = [name for name in parts if name.lower() in TRAINING_NAMES]
    if training and len(parts) > 1:
        raise Refused(
            f"{location} holds parts of a data set, not classes ({listed(parts)}); name the one to learn from, "
            f"{training[0]!r}, and the one to test on by --test."
        )


def _kind_of(file: str) -> Holds | None:
    suffix = suffix_of(file)
    if suffix in SEQUENCE_SUFFIXES:
        return "sequences"
    return "texts" if suffix == TEXT_SUFFIX else None


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
    return sorted(files, key=lambda file: file.split("/")), sorted(strays)


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
