"""Step 1, prepare and load: folders and archives of pictures or videos to one table, a row a file.

In: a folder, or a zip archive, which is read without being unpacked. Out: the path of each file in there, its pixels,
and as its label the folder that it lies in, where there is one for each class.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from firstlight.plain.frames import clip_frames
from firstlight.plain.pixels import picture_pixels


def read_image_files(paths: Sequence[str | Path], endings: Sequence[str], shape: tuple[int, int, int]) -> pl.DataFrame:
    """The pictures in folders or archives, each (height, width, channels) uint8 as `shape` says."""
    return pixel_rows("image", paths, endings, lambda content: picture_pixels(content, shape))


def read_image_classes(
    paths: Sequence[str | Path], endings: Sequence[str], shape: tuple[int, int, int]
) -> pl.DataFrame:
    """The same, with the folder of each picture as its label."""
    return with_folder_as_label(read_image_files(paths, endings, shape))


def read_video_files(
    paths: Sequence[str | Path], endings: Sequence[str], shape: tuple[int, int, int, int], step: float
) -> pl.DataFrame:
    """The videos in folders or archives, each (frames, height, width, 3) uint8, frames `step` seconds apart."""
    return pixel_rows("video", paths, endings, lambda content: clip_frames(content, shape, step))


def read_video_classes(
    paths: Sequence[str | Path], endings: Sequence[str], shape: tuple[int, int, int, int], step: float
) -> pl.DataFrame:
    """The same, with the folder of each video as its label."""
    return with_folder_as_label(read_video_files(paths, endings, shape, step))


def pixel_rows(
    column: str, paths: Sequence[str | Path], endings: Sequence[str], decode: Callable[[bytes], NDArray[np.uint8]]
) -> pl.DataFrame:
    """A row a file: its path in its folder or archive, and its pixels; several files are decoded at once."""
    files = [file for path in paths for file in files_inside(path, endings)]
    with ThreadPoolExecutor() as pool:
        pixels = list(pool.map(lambda file: decode(file[1]()), files))
    return pl.DataFrame([pl.Series("path", [path for path, _ in files]), pl.Series(column, np.stack(pixels))])


def with_folder_as_label(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the first folder on the path of each as a column label."""
    return rows.with_columns(label=pl.col("path").str.split("/").list.first())


def files_inside(place: str | Path, endings: Sequence[str]) -> list[tuple[str, Callable[[], bytes]]]:
    """The files with these endings in a folder or a zip archive, or in a folder of one, or a file alone.

    Of each: its path in there, and what reads its bytes; in the order of their paths, part by part.
    """
    place = Path(place)
    if place.is_dir():
        names = [path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()]
        found = {name: (place / name).read_bytes for name in names}
    else:
        file = next(path for path in (place, *place.parents) if path.is_file())
        if not zipfile.is_zipfile(file):
            return [(place.name, place.read_bytes)]
        archive = zipfile.ZipFile(file)
        start = "" if file == place else f"{place.relative_to(file).as_posix()}/"
        members = [name for name in archive.namelist() if name.startswith(start)]
        found = {name.removeprefix(start): partial(archive.read, name) for name in members}
    chosen = [name for name in found if name.lower().endswith(tuple(endings))]
    return [(name, found[name]) for name in sorted(chosen, key=lambda name: name.split("/"))]
