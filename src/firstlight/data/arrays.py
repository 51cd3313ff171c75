"""Pictures in arrays: IDX as MNIST made it known, and NumPy's npy and npz. Nothing in them is ever run.

The header is believed only where the file is as long as it says; an array of objects, which would need pickle, is
refused.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from firstlight.data.archive import ZIP_DAMAGE
from firstlight.data.folders import ARRAYS
from firstlight.data.packing import unpack
from firstlight.data.pictures import form_for_sizes
from firstlight.data.places import Source
from firstlight.data.signatures import array_format
from firstlight.data.table import LABEL, Form, Reading, Table
from firstlight.data.wording import listed
from firstlight.refusal import Refused
from firstlight.wording import whole

IMAGE = "image"
IDX_LABELS = b"\0\0\x08\x01"
LABELS = "labels-idx1"  # what stands in the name of the file of labels where that of pictures has `ARRAYS`
LARGEST = 2**32  # bytes of an array
CHANNELS = (1, 3, 4)  # grey; red, green and blue; the same with transparency


@dataclass(frozen=True, eq=False)
class _Arrays:
    """images: (rows, height, width) or (rows, height, width, channels), any numbers. labels: (rows,), or None."""

    images: NDArray[Any]
    labels: NDArray[Any] | None
    notes: tuple[str, ...] = ()


def read_arrays(source: Source, forms: Mapping[str, Form]) -> Table:
    """The pictures in a file of arrays as a column image, and label where there are labels for them.

    Raises Refused where it is cut off or damaged, holds no pictures, or objects.
    """
    form = array_format(source) or "npy"
    arrays = {"idx": _idx, "npy": _npy, "npz": _npz}[form](source)
    if arrays.images.ndim not in (3, 4) or 0 in arrays.images.shape:
        shape = " x ".join(map(str, arrays.images.shape))
        raise Refused(f"{source.location} holds an array of {shape} numbers, which are no pictures.")
    notes = list(arrays.notes)
    images = _in_bytes(_channels_last(arrays.images, source.location, notes), source.location, notes)
    rows, height, width, channels = images.shape
    chosen = forms.get(IMAGE) or form_for_sizes([(height, width)] * rows, channels)
    frame = pl.DataFrame({IMAGE: _resized(images, chosen.shape)})
    if arrays.labels is not None:
        frame = frame.with_columns(pl.Series(LABEL, arrays.labels).cast(pl.String))
    size = "" if (height, width) == chosen.shape[:2] else f", read as {chosen.shape[0]} x {chosen.shape[1]}"
    told = f"{form.upper()}, {height} x {width} pixels{', grey' if channels == 1 else ''}{size}"
    paths = () if source.path is None else (source.path,)
    reading = Reading(source.location, source.name, paths, "arrays", {}, False, told, {IMAGE: chosen})
    return Table(frame, reading, tuple(notes))


def _idx(source: Source) -> _Arrays:
    """The pictures of an IDX file, and the labels in the file beside it that is named alike."""
    images = _idx_array(source)
    if source.path is None or ARRAYS not in source.path:
        return _Arrays(images, None)
    place = Path(source.path).with_name(Path(source.path).name.replace(ARRAYS, LABELS))
    beside = next((path for path in (place, place.with_suffix(""), Path(f"{place}.gz")) if path.is_file()), None)
    if beside is None:
        return _Arrays(images, None, (f"there are no labels beside it ({place.name})",))
    labels_source, _ = unpack(Source(str(beside), beside.name, str(beside)))
    if not labels_source.head(4).startswith(IDX_LABELS):
        raise Refused(f"{beside} holds no labels in the form of IDX.")
    labels = _idx_array(labels_source)
    if len(labels) != len(images):
        raise Refused(f"{beside} holds {whole(len(labels))} labels for {whole(len(images))} pictures.")
    return _Arrays(images, labels, (f"labels from {beside.name}",))


def _idx_array(source: Source) -> NDArray[Any]:
    content = source.content()
    dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise Refused(f"{source.location} is cut off; fetch it again.")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    if len(content) - start != math.prod(shape):
        raise Refused(
            f"{source.location} is damaged: it should hold {' x '.join(map(str, shape))} bytes and holds "
            f"{whole(len(content) - start)}; fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _npy(source: Source) -> _Arrays:
    return _Arrays(_numpy_array(source.content(), source.location), None)


def _numpy_array(content: bytes, location: str) -> NDArray[Any]:
    """The array in the bytes of an npy file. Raises Refused where it claims more than there is, or holds objects."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, by_columns, kind = readers[version](stream)
    except (ValueError, KeyError, EOFError, SyntaxError) as error:
        raise Refused(f"{location} is a damaged NumPy array: its header cannot be read.") from error
    if kind.hasobject:
        raise Refused(f"{location} holds an array of objects, which could run code; save it as numbers.")
    size = math.prod(shape) * kind.itemsize
    if size > LARGEST or size > len(content) - stream.tell():
        raise Refused(
            f"{location} claims {whole(size)} bytes of numbers and holds {whole(len(content) - stream.tell())}; it is "
            "cut off or damaged."
        )
    values = np.frombuffer(content, kind, count=math.prod(shape), offset=stream.tell())
    return values.reshape(shape, order="F" if by_columns else "C")


def _npz(source: Source) -> _Arrays:
    """The pictures and labels in an npz file: those for training, where it holds others for a test."""
    try:
        with zipfile.ZipFile(io.BytesIO(source.content())) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if sum(member.file_size for member in members) > LARGEST:
                raise Refused(f"{source.location} unpacks to more than 4 GB; save it as several files.")
            arrays = {
                member.filename.removesuffix(".npy"): _numpy_array(
                    archive.read(member), f"{source.location}/{member.filename}"
                )
                for member in members
            }
    except ZIP_DAMAGE as error:
        raise Refused(f"{source.location} is a damaged npz file; fetch it again.") from error
    pictures = [name for name, array in arrays.items() if array.ndim in (3, 4)]
    if not pictures:
        raise Refused(
            f"{source.location} holds no pictures: none of its arrays ({listed(list(arrays))}) is deep enough."
        )
    chosen = next((name for name in pictures if "train" in name.lower()), pictures[0])
    rows = len(arrays[chosen])
    labels = [name for name, array in arrays.items() if array.shape in ((rows,), (rows, 1))]
    label = next((name for name in labels if "train" in name.lower()), labels[0] if labels else None)
    rest = [name for name in arrays if name not in (chosen, label)]
    notes = [f"pictures from {chosen!r}" + (f", labels from {label!r}" if label else "")]
    notes += [f"{listed(rest)} left out"] if rest else []
    return _Arrays(arrays[chosen], arrays[label].reshape(rows) if label else None, tuple(notes))


def _channels_last(images: NDArray[Any], location: str, notes: list[str]) -> NDArray[Any]:
    """Pictures as (rows, height, width, channels), without transparency."""
    if images.ndim == 3:
        return images[..., None]
    if images.shape[3] not in CHANNELS and images.shape[1] in CHANNELS:
        images = images.transpose(0, 2, 3, 1)
    if images.shape[3] not in CHANNELS:
        raise Refused(f"{location} holds pictures of {images.shape[3]} channels; 1 or 3 are read.")
    if images.shape[3] == 4:
        notes.append("the fourth channel, of transparency, is left out")
    return images[..., :3] if images.shape[3] > 1 else images


def _in_bytes(images: NDArray[Any], location: str, notes: list[str]) -> NDArray[np.uint8]:
    """Numbers from 0 to 255: as they are, from 0 to 1 made larger, or scaled from the least to the greatest."""
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "biuf":
        raise Refused(f"{location} holds pictures of {images.dtype}; numbers are read.")
    values = images.astype(np.float32)
    known = values[np.isfinite(values)]
    if len(known) == 0:
        raise Refused(f"{location} holds pictures without a single number.")
    low, high = float(known.min()), float(known.max())
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    if low >= 0 and 1 < high <= 255:
        return values.round().astype(np.uint8)
    if low < 0 or high > 255:
        notes.append(f"values from {low:g} to {high:g} are scaled to 0 to 255")
        values = (values - low) / max(high - low, 1e-12)
    return (values * 255).round().astype(np.uint8)


def _resized(images: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Pictures in another size, and grey or in colour, as `shape` (height, width, channels) says."""
    if images.shape[1:] == shape:
        return np.ascontiguousarray(images)
    height, width, channels = shape
    found = np.empty((len(images), *shape), np.uint8)
    for row, pixels in enumerate(images):
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        picture = picture.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
        found[row] = np.asarray(picture).reshape(shape)
    return found
