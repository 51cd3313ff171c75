"""Columns of a table whose cells name files of pictures or videos, or hold their bytes: pixels take their place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from firstlight.data.folders import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from firstlight.data.places import Source
from firstlight.data.table import Form, Table
from firstlight.data.wording import are
from firstlight.refusal import Refused
from firstlight.wording import counted, whole

NEARLY_ALL = 0.9  # of the cells of a column name files
LOOKED_AT = 1000  # cells of a column, before all are
MOST_FOLDERS = 200  # beside a table that are looked through for its files
BYTES, PATH = ".bytes", ".path"  # ends of the columns of a picture that is kept with its name
# How the bytes of pictures and videos begin, and from where.
PICTURE_STARTS = (
    (0, b"\xff\xd8\xff"), (0, b"\x89PNG"), (0, b"GIF8"), (0, b"BM"), (0, b"II*\0"), (0, b"MM\0*"), (8, b"WEBP"),
    (4, b"jP  "),
)  # fmt: skip
VIDEO_STARTS = ((4, b"ftyp"), (0, b"\x1aE\xdf\xa3"), (8, b"AVI "), (0, b"OggS"), (0, b"FLV"))
Find = Callable[[str], Source | None]


def with_pixels(table: Table, source: Source, forms: Mapping[str, Form]) -> Table:
    """The table with pixels in place of the names or bytes of pictures and videos; those that fail become gaps.

    source: the file of the table, beside which its files lie. forms: those asked for, by column.
    """
    frame, notes, found = table.frame, list(table.notes), dict[str, Form]()
    summary = table.reading.summary
    for name in frame.columns:
        if name.removesuffix(PATH) in found:
            frame = frame.drop(name)  # the name of a picture whose bytes were read
            continue
        cells = frame[name]
        named = _kind_named(cells) if cells.dtype == pl.String else None
        held = _kind_held(cells) if cells.dtype == pl.Binary else None
        if named:
            sources, outside = _sources_named(cells, source)
            if outside:
                notes.append(f"{name}: not opened, as outside the folder of the table: {counted(outside, 'file')}")
            if not any(sources):
                notes.append(f"{name} names {named}, and none of them lies beside the table: they are not read")
                continue
        elif held:
            sources = [
                None if cell is None else Source(f"row {row + 1} of {name}", name, None, held=cell)
                for row, cell in enumerate(cells)
            ]
        else:
            continue
        column = name.removesuffix(BYTES)
        of_videos = (named or held) == "videos"
        wanted = forms.get(column) or (_form_of_videos(found) if of_videos else None)
        pixels, form, told = _pixels_of(column, sources, of_videos, wanted, notes)
        frame = frame.with_columns(pixels.alias(name)).rename({name: column})
        found[column] = form
        summary += f", {column}: {told}"
    if not found:
        return replace(table, notes=tuple(notes))
    return Table(frame, replace(table.reading, exact=False, forms=found, summary=summary), tuple(notes))


def _form_of_videos(found: Mapping[str, Form]) -> Form | None:
    """The form of an earlier column of videos, which all of a table share; pictures need not be of one size."""
    return next((form for form in found.values() if len(form.shape) == 4), None)


def _kind_named(cells: pl.Series) -> str | None:
    """Whether nearly all cells end as the names of "pictures" or "videos" do."""
    known = cells.drop_nulls()
    some = known.sample(min(LOOKED_AT, len(known)), seed=0)  # of most columns half of these few tell enough
    for kind, suffixes in (("pictures", PICTURE_SUFFIXES), ("videos", VIDEO_SUFFIXES)):
        endings = "|".join(suffix.removeprefix(".") for suffix in suffixes)
        ending = rf"(?i)\.(?:{endings})$"
        if _share_with(some, ending) >= NEARLY_ALL / 2 and _share_with(known, ending) >= NEARLY_ALL:
            return kind
    return None


def _share_with(cells: pl.Series, ending: str) -> float:
    return int(cells.str.contains(ending).sum()) / max(1, len(cells))


def _kind_held(cells: pl.Series) -> str | None:
    """Whether the cells hold "pictures" or "videos", by the first of them."""
    known = cells.drop_nulls().head(1)
    first: bytes = known[0] if len(known) else b""
    for kind, starts in (("pictures", PICTURE_STARTS), ("videos", VIDEO_STARTS)):
        if any(first.startswith(start, at) for at, start in starts):
            return kind
    return None


def _sources_named(cells: pl.Series, table: Source) -> tuple[list[Source | None], int]:
    """The file that each cell names, beside the table or in a folder there, None where there is none.

    And how many files are named that lie elsewhere: a table that a stranger wrote opens none of them.
    """
    names = [None if cell is None else cell.strip() for cell in cells]
    different = list(dict.fromkeys(name for name in names if name))
    folder = os.path.abspath(Path(table.location).parent)  # noqa: PTH100  # resolve() would follow links
    inner = {name: name if table.archive else _inside(folder, name) for name in different}
    given = {name: path for name, path in inner.items() if path}
    found: dict[str, Source] = {}
    for find in _places(table):
        here = {name: file for name, path in given.items() if (file := find(path)) is not None}
        found = max(found, here, key=len)
        if len(found) == len(given):
            break
    return [found.get(name) if name else None for name in names], len(different) - len(given)


def _inside(folder: str, name: str) -> str:
    """The name of a file as a path from a folder on, empty where it leads out of it.

    Only the path counts: links in the folder are the user's own, and may lead anywhere.
    """
    path = os.path.normpath(Path(folder) / name)
    return os.path.relpath(path, folder) if Path(folder) in Path(path).parents else ""


def _places(table: Source) -> list[Find]:
    """Ways to find a file by its name: beside the table, or in one of the folders there."""
    if table.archive:
        from firstlight.data.archive import files_in_archive

        members = set(files_in_archive(table.archive, ""))
        base = PurePosixPath(table.member).parent.as_posix()
        folders = sorted({PurePosixPath(name).parent.as_posix() for name in members})
        return [_in_archive(table.archive, members, folder) for folder in (base, *folders[:MOST_FOLDERS])]
    beside = Path(table.location).parent
    inside = sorted(path for path in beside.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [_in_folder(folder) for folder in (beside, *inside[:MOST_FOLDERS])]


def _in_archive(archive: str, members: set[str], folder: str) -> Find:
    def find(name: str) -> Source | None:
        member = name if folder == "." else f"{folder}/{name}"
        return Source(f"{archive}/{member}", name, None, archive=archive, member=member) if member in members else None

    return find


def _in_folder(folder: Path) -> Find:
    def find(name: str) -> Source | None:
        path = folder / name
        try:
            return Source(str(path), name, str(path)) if path.is_file() else None
        except OSError:  # too long for a name, or in a folder that may not be looked into
            return None

    return find


def _pixels_of(
    column: str, sources: Sequence[Source | None], of_videos: bool, form: Form | None, notes: list[str]
) -> tuple[pl.Series, Form, str]:
    """The cells of a column, gaps where there is no file or none that can be read, their form, and what they are."""
    from firstlight.data.picture_folder import pixels_in

    there = [row for row, source in enumerate(sources) if source is not None]
    pixels = pixels_in([source for source in sources if source is not None], of_videos, form)
    if not pixels.read:
        raise Refused(f"column {column!r}: none of its files can be read; {next(iter(pixels.failed.values()))}")
    noun = "video" if of_videos else "picture"
    notes += [f"{column}: {note}" for note in pixels.notes]
    if missing := len(sources) - len(there):
        notes.append(f"{column}: {counted(missing, 'row')} of {whole(len(sources))} lack the {noun}: gaps")
    if pixels.failed:
        count, first = len(pixels.failed), next(iter(pixels.failed.values()))
        notes.append(f"{column}: {counted(count, noun)} cannot be read and {are(count)} taken as gaps: {first}")
    if len(pixels.read) == len(sources):
        return pl.Series(column, pixels.cells), pixels.form, pixels.told
    place = np.full(len(sources), -1)
    place[[there[number] for number in pixels.read]] = np.arange(len(pixels.read))
    cells = pl.Series(column, pixels.cells)
    return cells.gather(pl.Series(place).replace(-1, None)), pixels.form, pixels.told
