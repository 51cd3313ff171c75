"""Pictures in files: what their headers say, in which form to read them all, and their pixels.

The pixels come from `plain.pixels`, the same function that the script holds; here stands what is looked at before and
after: is it a picture, is the file whole, is it small enough to be decoded, and what about it is odd.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import median

import numpy as np
import PIL
from PIL import Image, UnidentifiedImageError

from firstlight.data.pixel_cache import Decoded, Pixels, decoded
from firstlight.data.places import Source
from firstlight.data.table import Form
from firstlight.plain.pixels import ORIENTATION, SIDEWAYS, picture_pixels
from firstlight.refusal import Refused
from firstlight.wording import whole

LARGEST = 89_000_000  # pixels of a picture; Pillow warns from there on
SMALLEST = 2  # pixels a side, below which nothing can be learned from a picture
SMALL_AREA = 96 * 96  # pixels up to which pictures of one size stay as they are
USUAL_AREA = 96 * 96  # of others, once they are read: what a network learns from on an ordinary computer
SMALLEST_AREA = 32 * 32
MOST_BYTES = 1_000_000_000  # of the pixels of all pictures together
MOST_STRETCHED = 3.0  # times wider than high, or higher than wide, that pictures are read as
MULTIPLE = 8  # of pixels a side, so that it can be halved three times
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})  # Pillow's; and all that begin with "I;"
# How formats are called by Pillow, and the endings that their files have.
ENDINGS = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"}, "PNG": {".png", ".apng"}, "GIF": {".gif"}, "WEBP": {".webp"},
    "BMP": {".bmp", ".dib"}, "TIFF": {".tif", ".tiff"}, "JPEG2000": {".jp2", ".j2k", ".jpx", ".j2c", ".jpc"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm"}, "TGA": {".tga"}, "ICO": {".ico"}, "AVIF": {".avif"},
    "MPO": {".jpg", ".mpo"},
}  # fmt: skip
_PAGES = {"TIFF": "pages"}


@dataclass(frozen=True)
class Header:
    """What a file of a picture says of it before it is decoded.

    width, height: in pixels, as it is shown. grey: without colours. kind: of file, such as "JPEG".
    digest: of all its bytes. notes: what is odd about it.
    """

    width: int
    height: int
    grey: bool
    kind: str
    digest: bytes
    notes: tuple[str, ...]


def header_of(content: bytes, location: str) -> Header:
    """The header of a picture. Raises Refused where the file holds none, or one that is too large to be decoded."""
    _refuse_other_files(content, location)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:  # "Image size (400000000 pixels) exceeds ..."
        raise Refused(_too_large(location, int(str(error).partition("(")[2].split()[0]))) from error
    except UnidentifiedImageError as error:
        raise Refused(f"{location} is no picture that can be read.") from error
    except Exception as error:  # a damaged header may raise anything
        raise Refused(f"{location} is a damaged picture: its header cannot be read.") from error
    with picture:
        width, height = picture.size
        if width * height > LARGEST:
            raise Refused(_too_large(location, width * height))
        if width * height == 0:
            raise Refused(f"{location} is a picture of no pixels ({width} x {height}).")
        kind = picture.format or "picture"
        grey = picture.mode in GREY_MODES or picture.mode.startswith("I;")
        sideways = _orientation(picture) in SIDEWAYS
        notes = tuple(_oddities(picture, kind, content, location))
    if sideways:
        width, height = height, width
    return Header(width, height, grey, kind, hashlib.blake2b(content, digest_size=16).digest(), notes)


def _refuse_other_files(content: bytes, location: str) -> None:
    head = content[:256].lstrip().lower()
    if not content:
        raise Refused(f"{location} holds no picture: the file is empty.")
    if head.startswith((b"<!doctype html", b"<html")):
        raise Refused(f"{location}: this is a web page, not a picture.")
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in content[:2048].lower()):
        raise Refused(f"{location}: SVG is a drawing; save it as PNG.")


def _too_large(location: str, pixels: int) -> str:
    return f"{location} has {whole(round(pixels / 1e6))} megapixels: too large; make it smaller first."


def _orientation(picture: Image.Image) -> int:
    """The note of the camera on how it was held; 0 where there is none, or none that can be read."""
    try:
        return int(picture.getexif().get(ORIENTATION) or 0)
    except Exception:  # a damaged note costs the turn, not the picture
        return 0


def _oddities(picture: Image.Image, kind: str, content: bytes, location: str) -> Iterable[str]:
    """What a person should know of how the picture is read; what is usual and loses nothing needs no word."""
    suffix = PurePosixPath(location.replace("\\", "/")).suffix.lower()
    promised = next((name for name, endings in ENDINGS.items() if suffix in endings), kind)
    if promised != kind and suffix not in ENDINGS.get(kind, ()):
        yield f"the name says {promised}, the file is {kind}"
    if picture.width < SMALLEST or picture.height < SMALLEST:
        pixels = "pixel" if picture.width * picture.height == 1 else "pixels"
        yield f"{picture.width} x {picture.height} {pixels}: too small to learn from"
    if picture.mode == "F" and not np.isfinite(_values(picture)).all():
        yield "non-finite pixels are taken for the darkest"
    elif picture.mode in ("F", "I") or picture.mode.startswith("I;"):
        yield "16-bit values scaled" if picture.mode != "F" else "values scaled"
    if picture.has_transparency_data:
        yield "transparency flattened on white"
    if kind == "PNG" and not _checksums_agree(content):
        yield "a checksum is wrong"
    frames, whole_file = _frames(picture)
    if frames > 1:
        yield f"the first of {frames} {_PAGES.get(kind, 'frames')} is used"
    if not whole_file:
        yield "the file is cut off: only the whole frames are used"


def _values(picture: Image.Image) -> Pixels:
    try:
        return np.asarray(picture)
    except Exception:  # it will be refused when it is decoded
        return np.zeros(0, np.uint8)


def _frames(picture: Image.Image) -> tuple[int, bool]:
    """How many frames or pages there are, and whether all of them can be found."""
    try:
        return int(getattr(picture, "n_frames", 1)), True
    except Exception:  # the file ends before they do
        return 1, False


def _checksums_agree(content: bytes) -> bool:
    """Whether each part of a PNG has the checksum that stands behind it."""
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        body, end = content[at + 4 : at + 8 + length], at + 8 + length
        if end + 4 > len(content):
            return True  # cut off, which is another fault
        if zlib.crc32(body) != struct.unpack_from(">I", content, end)[0]:
            return False
        if body.startswith(b"IEND"):
            return True
        at = end + 4
    return True


def form_for(headers: Sequence[Header]) -> Form:
    """The form in which pictures of these sizes are read."""
    channels = 1 if all(header.grey for header in headers) else 3
    return form_for_sizes([(header.height, header.width) for header in headers], channels)


def form_for_sizes(sizes: Sequence[tuple[int, int]], channels: int) -> Form:
    """Their own size for pictures that are small and all alike, else the usual one. sizes: (height, width) of each."""
    height, width = sizes[0]
    one_size = all(size == sizes[0] for size in sizes)
    if one_size and height * width <= SMALL_AREA and len(sizes) * height * width * channels <= MOST_BYTES:
        return Form((height, width, channels))
    return Form((*area_for(sizes, USUAL_AREA, channels), channels))


def area_for(sizes: Sequence[tuple[int, int]], most: int, depth: int) -> tuple[int, int]:
    """Height and width in which pictures of many sizes (height, width) are read: of the usual shape, none enlarged.

    most: pixels of one. depth: bytes of a pixel, of all channels and frames.
    """
    usual = median(height * width for height, width in sizes)
    area = max(min(most, usual, MOST_BYTES / (len(sizes) * depth)), min(SMALLEST_AREA, usual))
    shape = median(height / width for height, width in sizes)
    shape = min(max(shape, 1 / MOST_STRETCHED), MOST_STRETCHED)
    height = max(MULTIPLE, round(math.sqrt(area * shape) / MULTIPLE) * MULTIPLE)
    width = max(MULTIPLE, round(math.sqrt(area / shape) / MULTIPLE) * MULTIPLE)
    return height, width


def decode_pictures(sources: Sequence[Source], headers: Sequence[Header], form: Form) -> Decoded:
    """The pixels of all pictures in a form, in parallel, from the cache where they were decoded before."""
    height, width, channels = form.shape

    def decode(number: int) -> tuple[Pixels, tuple[str, ...]]:
        content = sources[number].content()
        try:
            return picture_pixels(content, (height, width, channels)), ()
        except Exception as error:  # a damaged file may raise anything
            raise Refused(_fault(error)) from error

    return decoded([header.digest for header in headers], form, decode, f"Pillow {PIL.__version__}")


def _fault(error: Exception) -> str:
    told = str(error).lower()
    if "truncated" in told or "not enough" in told or "broken data stream" in told or isinstance(error, EOFError):
        return "the file ends before the picture does"
    return f"the picture is damaged ({told.splitlines()[0][:80] if told else type(error).__name__})"


def sizes_told(headers: Sequence[Header]) -> str:
    """The kinds and sizes of pictures in few words: "JPEG, 240 to 500 x 312 to 500 pixels"."""
    kinds = [kind for kind, _ in Counter(header.kind for header in headers).most_common()]
    spans = [
        f"{min(lengths)}" if min(lengths) == max(lengths) else f"{min(lengths)} to {max(lengths)}"
        for lengths in ([header.height for header in headers], [header.width for header in headers])
    ]
    return f"{' and '.join(kinds)}, {spans[0]} x {spans[1]} pixels"
