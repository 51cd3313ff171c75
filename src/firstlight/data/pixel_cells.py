"""Cells that are pictures or videos: the pixels themselves, as a polars Array of bytes."""

from __future__ import annotations

import polars as pl


def pixel_shape(kind: pl.DataType) -> tuple[int, ...] | None:
    """(height, width, channels) of a picture, (frames, height, width, channels) of a video; None for other cells."""
    innermost: object = kind
    while isinstance(innermost, pl.Array):
        innermost = innermost.inner
    if not isinstance(kind, pl.Array) or innermost != pl.UInt8 or len(kind.shape) not in (3, 4):
        return None
    return kind.shape


def is_picture(kind: pl.DataType) -> bool:
    """Whether cells of this type are pictures."""
    return len(pixel_shape(kind) or ()) == 3


def is_video(kind: pl.DataType) -> bool:
    """Whether cells of this type are videos."""
    return len(pixel_shape(kind) or ()) == 4


def hashed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a number in place of each picture and video, the same for equal pixels, to tell rows apart by."""
    return pl.DataFrame([cells.hash() if pixel_shape(cells.dtype) else cells for cells in rows])
