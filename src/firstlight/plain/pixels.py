"""Step 1, prepare and load: pictures to numbers.

In: the bytes of an image file of any format, mode and size. Out: pixels (height, width, channels) uint8, the picture as
a person sees it: turned as the camera noted, on white where it is transparent, in one size.
"""

from __future__ import annotations

import io

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageOps

GREY = "L"  # as Pillow calls 1 channel of 8 bits
COLOUR = "RGB"  # 3 channels
ORIENTATION = 0x0112  # the number under which cameras note how they were held
SIDEWAYS = (5, 6, 7, 8)  # notes that make the width the height


def pixels_of(cells: pl.Series) -> NDArray[np.uint8]:
    """The pixels of pictures or videos: (rows, ...) uint8; zeros where there is a gap."""
    if cells.null_count() == 0:
        return cells.to_numpy()
    pixels = np.zeros((len(cells), *cells.dtype.shape), np.uint8)  # type: ignore[attr-defined]
    pixels[cells.is_not_null().to_numpy()] = cells.drop_nulls().to_numpy()
    return pixels


def picture_pixels(content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The picture in a file, the first where there are several, made as large as wanted: `shape` uint8.

    shape: (height, width, channels); 1 channel is grey, 3 are red, green and blue. The proportions of the picture are
    not kept. Raises OSError or ValueError where there is no whole picture.
    """
    height, width, channels = shape
    with Image.open(io.BytesIO(content)) as picture:
        sideways = picture.getexif().get(ORIENTATION) in SIDEWAYS
        size = (height, width) if sideways else (width, height)
        picture.draft(None, size)  # a JPEG is decoded at half its size or less where that is enough
        flat = without_transparency(in_bytes(picture)).convert(GREY if channels == 1 else COLOUR)
        scaled = flat.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0) if flat.size != size else flat
        if sideways or ORIENTATION in picture.getexif():
            scaled.getexif()[ORIENTATION] = picture.getexif()[ORIENTATION]
            scaled = ImageOps.exif_transpose(scaled)
    return np.asarray(scaled).reshape(shape)


def in_bytes(picture: Image.Image) -> Image.Image:
    """The picture with 8 bits a channel: of 16 bits or more, from its darkest to its brightest value."""
    if picture.mode not in ("F", "I") and not picture.mode.startswith("I;"):
        return picture
    values = np.asarray(picture, dtype=np.float64)
    known = values[np.isfinite(values)]
    if len(known) == 0:
        raise ValueError("none of its values is a number")
    low, high = known.min(), known.max()
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255 / max(high - low, 1e-12))
    return Image.fromarray(scaled.round().astype(np.uint8))


def without_transparency(picture: Image.Image) -> Image.Image:
    """The picture on white, where it lets something through."""
    if not picture.has_transparency_data:
        return picture
    upper = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", upper.size, "white"), upper)
