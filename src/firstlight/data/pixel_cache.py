"""The pixels of pictures and videos that were decoded before: files in the user's cache folder, mapped into memory.

A file is named after the contents of all encoded files and the form in which they are read, so it never goes stale. It
holds the pixels of those that can be read, one after the other; beside it stands a second one with what was odd.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from firstlight.data.places import Unreadable
from firstlight.data.table import Form
from firstlight.files import write_whole
from firstlight.refusal import Refused

Pixels: TypeAlias = NDArray[np.uint8]
VERSION = "1"  # of what is stored; another decoder needs another
MOST_KEPT = 4_000_000_000  # bytes of all files together


@dataclass(frozen=True, eq=False)
class Decoded:
    """The pixels of many files.

    cells:    of those that can be read, (files, *shape) uint8, mapped from the cache.
    readable: which these are, (files,) bool.
    notes:    of each file what was odd about its content, without its name, under which nothing is kept; of one that
              cannot be read, why.
    """

    cells: Pixels
    readable: NDArray[np.bool_]
    notes: tuple[tuple[str, ...], ...]


def decoded(
    digests: Sequence[bytes], form: Form, decode: Callable[[int], tuple[Pixels, tuple[str, ...]]], version: str
) -> Decoded:
    """The pixels of all files, from the cache where they were decoded in this form before.

    digests: of the contents of the files. version: of the decoder. decode(number) gives the pixels of a file in the
    form, and what is odd about it, or raises Refused with what is wrong, without its name; it is called from several
    threads. Raises Unreadable where a file is gone since its header was read.
    """
    told = repr((VERSION, version, form)).encode()
    name = hashlib.blake2b(told + b"".join(digests), digest_size=16).hexdigest()
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firstlight" / "pixels"
    kept = _kept(folder / name, form, len(digests))
    if kept is not None:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part", delete=False)
    except OSError:  # the folder cannot be written to: decoded again each time
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:  # what is mapped outlives its name
            return _decoded_into(Path(place) / name, digests, form, decode)
    stream.close()
    part = Path(stream.name)
    try:
        found = _decoded_into(part, digests, form, decode)
        notes = {"readable": found.readable.tolist(), "notes": found.notes}
        with suppress(OSError, Refused):
            part.replace(folder / name)
            write_whole(folder / f"{name}.json", json.dumps(notes))  # last: what has no notes is not taken
        _forget_the_oldest(folder, besides=name)
        return found
    finally:
        part.unlink(missing_ok=True)


def _decoded_into(
    path: Path, digests: Sequence[bytes], form: Form, decode: Callable[[int], tuple[Pixels, tuple[str, ...]]]
) -> Decoded:
    """Decodes in parallel, straight into a file; what cannot be read leaves no gap in it."""
    if not digests:
        return Decoded(np.zeros((0, *form.shape), np.uint8), np.zeros(0, bool), ())
    cells = np.memmap(path, np.uint8, "w+", shape=(len(digests), *form.shape))

    def one(number: int) -> tuple[bool, tuple[str, ...]]:
        try:
            cells[number], notes = decode(number)
        except Unreadable:  # it may be there the next time, so nothing of it may be kept
            raise
        except Refused as refusal:
            return False, (str(refusal),)
        return True, notes

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = list(pool.map(one, range(len(digests))))
    readable = np.array([good for good, _ in told])
    places = np.flatnonzero(readable)
    for to, place in enumerate(places.tolist()):  # moved up, over those that cannot be read
        if to != place:
            cells[to] = cells[place]
    cells.flush()
    return Decoded(_mapped(path, form, len(places)), readable, tuple(notes for _, notes in told))


def _mapped(path: Path, form: Form, files: int) -> Pixels:
    if files == 0:
        return np.zeros((0, *form.shape), np.uint8)
    return np.memmap(path, np.uint8, "r", shape=(files, *form.shape))


def _kept(path: Path, form: Form, files: int) -> Decoded | None:
    """What is kept under a name; None where there is nothing, or nothing sound."""
    notes = path.with_name(f"{path.name}.json")
    try:
        told = json.loads(notes.read_text(encoding="utf-8"))
        readable = np.array(told["readable"], dtype=bool)
        found = Decoded(
            _mapped(path, form, int(readable.sum())), readable, tuple(tuple(map(str, each)) for each in told["notes"])
        )
        if len(readable) != files or len(found.notes) != files:
            return None
        os.utime(notes)  # the last time it was used
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def _forget_the_oldest(folder: Path, besides: str) -> None:
    """Deletes what was not used for longest, beyond what may be kept."""
    with suppress(OSError):
        used = {path.stem: path.stat().st_mtime for path in folder.glob("*.json")}
        sizes = {name: (folder / name).stat().st_size for name in used if (folder / name).exists()}
        total = sum(sizes.values())
        for name in sorted(sizes, key=lambda name: used[name]):
            if total <= MOST_KEPT:
                break
            if name != besides:
                total -= sizes[name]
                (folder / f"{name}.json").unlink(missing_ok=True)
                (folder / name).unlink(missing_ok=True)
