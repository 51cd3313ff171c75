"""Pictures or videos that lie in a folder or an archive, one example each; folders in it are the classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from firstlight.data.folders import Contents
from firstlight.data.pixel_cache import Decoded
from firstlight.data.places import Source, short_name
from firstlight.data.table import LABEL, Form, Reader, Reading, Table
from firstlight.data.wording import are, notes_on_files
from firstlight.plain.picture_files import files_inside
from firstlight.refusal import Refused
from firstlight.wording import counted, whole

IMAGE, VIDEO = "image", "video"  # the columns that readers of folders make


class Head(Protocol):
    """What is known of a file before it is decoded."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about it."""


H = TypeVar("H", bound=Head)


@dataclass(frozen=True, eq=False)
class Pixels:
    """What became of the files of pictures or videos.

    read:   the numbers of those that can be read, in order. cells: their pixels, (read, *form.shape) uint8.
    failed: of the others, why not, by their numbers.
    notes:  what is odd about those that are read, a sentence for each oddity, with the files that have it.
    told:   their kinds, sizes and lengths in few words.
    """

    read: tuple[int, ...]
    cells: NDArray[np.uint8]
    failed: Mapping[int, str]
    form: Form
    notes: tuple[str, ...]
    told: str


def read_pixel_folder(location: str, contents: Contents, sources: Sequence[Source], forms: Mapping[str, Form]) -> Table:
    """The files as columns path, image or video, and label where each lies in the folder of its class.

    A file that cannot be read costs its row and is named. forms: those asked for, by column. Raises Refused where no
    file is left.
    """
    column = IMAGE if contents.holds == "pictures" else VIDEO
    pixels = pixels_in(sources, contents.holds == "videos", forms.get(column))
    noun = "picture" if column == IMAGE else "video"
    if len(pixels.read) == 0:
        reasons = list(pixels.failed.values())
        raise Refused(
            reasons[0] if len(reasons) == 1
            else f"{location}: none of its {whole(len(reasons))} {noun}s can be read; {reasons[0]}"
        )  # fmt: skip
    paths = [sources[number].inner or Path(sources[number].location).name for number in pixels.read]
    frame = pl.DataFrame([pl.Series("path", paths), pl.Series(column, pixels.cells)])
    classes = all("/" in path for path in paths)
    if classes:
        frame = frame.with_columns(pl.col("path").str.split("/").list.first().alias(LABEL))
    said = [*contents.notes, *pixels.notes]
    if pixels.failed:
        count = len(pixels.failed)
        first = next(iter(pixels.failed.values()))
        said.append(f"{counted(count, noun)} cannot be read and {are(count)} left out: {first}")
    readers: dict[tuple[str, bool], Reader] = {
        (IMAGE, True): "image_classes", (IMAGE, False): "image_files",
        (VIDEO, True): "video_classes", (VIDEO, False): "video_files",
    }  # fmt: skip
    endings = sorted({Path(path).suffix.lower() for path in paths})
    place = contents.place if sources[0].inner else location
    reading = Reading(
        location=location,
        name=short_name(location),
        paths=(place,),
        reader=readers[column, classes],
        options={"endings": endings},
        exact=paths == [inner for inner, _ in files_inside(place, endings)],
        summary=", ".join([pixels.told, *(["label by folder"] if classes else [])]),
        forms={column: pixels.form},
    )
    return Table(frame, reading, tuple(said))


def pixels_in(sources: Sequence[Source], of_videos: bool, form: Form | None) -> Pixels:
    """The pixels of files of pictures or videos, in the form that is asked for, or else in one that suits them."""
    if of_videos:
        from firstlight.data.videos import decode_videos, form_for_videos, header_of_video, lengths_told

        return _pixels(sources, header_of_video, decode_videos, form, form_for_videos, lengths_told)
    from firstlight.data.pictures import decode_pictures, form_for, header_of, sizes_told

    return _pixels(
        sources, lambda source: header_of(source.content(), source.location), decode_pictures, form, form_for,
        sizes_told,
    )  # fmt: skip


def _pixels(
    sources: Sequence[Source], head_of: Callable[[Source], H],
    decode: Callable[[Sequence[Source], Sequence[H], Form], Decoded], form: Form | None,
    form_of: Callable[[Sequence[H]], Form], told_of: Callable[[Sequence[H]], str],
) -> Pixels:  # fmt: skip
    heads: dict[int, H] = {}
    failed: dict[int, str] = {}
    for number, source in enumerate(sources):
        try:
            heads[number] = head_of(source)
        except Refused as refusal:
            failed[number] = str(refusal)
    if not heads:
        return Pixels((), np.zeros(0, np.uint8), failed, form or Form(()), (), "")
    form = form or form_of(list(heads.values()))
    found = decode([sources[number] for number in heads], list(heads.values()), form)
    oddities: dict[str, list[str]] = {}
    for number, readable, notes in zip(heads, found.readable.tolist(), found.notes, strict=True):
        if not readable:
            failed[number] = f"{sources[number].location}: {notes[0]}."
            continue
        for note in (*heads[number].notes, *notes):
            oddities.setdefault(note, []).append(sources[number].inner or Path(sources[number].location).name)
    read = tuple(number for number in heads if number not in failed)
    told = f"{told_of(list(heads.values()))}{_form_told(form)}"
    return Pixels(read, found.cells, dict(sorted(failed.items())), form, tuple(notes_on_files(oddities)), told)


def _form_told(form: Form) -> str:
    """The form in few words."""
    height, width = form.shape[-3:-1]
    if len(form.shape) == 3:
        return f", read as {height} x {width}" + (", grey" if form.shape[-1] == 1 else "")
    return f", read as {form.shape[0]} frames of {height} x {width}, one each {form.step:.3g} s"
