"""Step 5, save and load: a model file is read suspiciously, before any memory is set aside for it.

In: the path of a .safetensors file that anyone may have made. Out: what its header says, once it is
known to be true of the file; then its tensors.
The file is 8 bytes (the header's length), the header (JSON) and the tensors' bytes, one after the
other without gaps. Nothing in it is ever run, and no length that it claims is believed unchecked.
Source: the format as https://github.com/huggingface/safetensors describes it.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, TypeGuard

from firstlight.refusal import Refused, nearest

if TYPE_CHECKING:
    from torch import Tensor

LENGTH_BYTES = 8
HEADER_LIMIT = 25_000_000  # bytes
LARGEST = 2**63 - 1  # bytes, what a tensor's size can be counted with
MOST_DIMENSIONS = 8
ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "I16": 2,
    "I32": 4,
    "I64": 8,
    "F16": 2,
    "BF16": 2,
    "F32": 4,
    "F64": 8,
}


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies: its bytes are begin..end, counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a model file says of itself, after the audit has found it to be true."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, Entry]


class _Ambiguous(ValueError):
    """The header is of a kind that two readers of JSON may read differently."""


def audit(path: Path) -> Header:
    """The header of a .safetensors file, checked against the file, without reading any tensor.

    Takes memory for the header alone, and at most HEADER_LIMIT bytes of file.
    Raises Refused where the file is anything but one whole, unambiguous .safetensors file.
    """
    try:
        _refuse_irregular(path, path.stat().st_mode)
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            text = _header_text(path, stream, size)
    except FileNotFoundError as error:
        raise Refused(_missing(path)) from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    entries = _parsed(path, text)
    metadata = _metadata(path, entries.pop("__metadata__", {}))
    tensors = {name: _entry(path, name, value) for name, value in entries.items()}
    _refuse_gaps(path, tensors, data_bytes=size - LENGTH_BYTES - len(text))
    return Header(metadata, tensors)


def read_tensors(path: Path, header: Header) -> dict[str, Tensor]:
    """The tensors of a file that `audit` gave this header for, by name.

    Raises Refused where the file has changed since, where a number is not finite, or where a byte of a
    yes/no tensor is neither.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise Refused(f"{path} cannot be read: {str(error).rstrip('.')}.") from error
    if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != {
        name: entry.shape for name, entry in header.tensors.items()
    }:
        raise Refused(f"{path} was changed while it was being read; try again.")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise Refused(f"{path}: tensor {_shown(name)} holds numbers that are not finite; the model is damaged.")
        if tensor.dtype == torch.bool and (tensor.view(torch.uint8) > 1).any():
            raise Refused(f"{path}: tensor {_shown(name)} holds bytes that are neither true nor false.")
    return tensors


def _missing(path: Path) -> str:
    """The sentence for a file that is not there, with the model file beside it that was perhaps meant."""
    near = nearest(path.name, sorted(found.name for found in path.parent.glob("*.safetensors")))
    return f"{path} does not exist" + (f"; did you mean {near!r}?" if near else ".")


def _refuse_irregular(path: Path, mode: int) -> None:
    """A folder, a pipe or a device is no model file; opening one might wait for ever."""
    if stat.S_ISDIR(mode):
        raise Refused(f"{path} is a folder, not a model file; name the .safetensors file in it.")
    if not stat.S_ISREG(mode):
        raise Refused(f"{path} is not a regular file; copy the model into one first.")


def _header_text(path: Path, stream: BinaryIO, size: int) -> bytes:
    """The header's bytes; refuses where there are fewer than the file claims, or far too many."""
    start = stream.read(LENGTH_BYTES + 1)
    if len(start) <= LENGTH_BYTES:
        raise Refused(f"{path} is not a safetensors file: it has only {size} bytes.")
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    if length > size - LENGTH_BYTES or start[LENGTH_BYTES:] != b"{":
        _refuse_other_format(path, start)
    if length > size - LENGTH_BYTES:
        left = size - LENGTH_BYTES
        raise Refused(
            f"{path} is not a safetensors file, or is cut off: it claims a header of {length} bytes, and {left} follow."
        )
    if length > HEADER_LIMIT:
        raise Refused(f"{path} has a header of {length} bytes; at most {HEADER_LIMIT} are read.")
    if start[LENGTH_BYTES:] != b"{":
        _refuse_header(path, "is not a JSON object")
    stream.seek(LENGTH_BYTES)
    text = stream.read(length)
    if len(text) < length:
        raise Refused(f"{path} was cut off while it was being read; try again.")
    return text


def _refuse_other_format(path: Path, start: bytes) -> None:
    """Says so where the first bytes are those of another well-known kind of model file."""
    if start.startswith(b"PK\x03\x04"):
        kind = "a zip archive, as torch.save writes it"
    elif start[:1] == b"\x80" and start[1] in range(2, 6):
        kind = "a pickle"
    else:
        return
    raise Refused(f"{path} is not a safetensors file: it is {kind}; opening one can run code, so it stays shut.")


def _refuse_header(path: Path, what: str) -> NoReturn:
    raise Refused(f"{path} is not a safetensors file: its header {what}.")


def _parsed(path: Path, text: bytes) -> dict[str, object]:
    """The header as an object of JSON, each name in it once."""
    try:
        parsed: object = json.loads(
            text.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except _Ambiguous as error:
        _refuse_header(path, str(error))
    except RecursionError:
        _refuse_header(path, "is nested too deeply")
    except ValueError:  # not UTF-8, not JSON, or a whole number of thousands of digits
        _refuse_header(path, "is not JSON")
    if not isinstance(parsed, dict):
        _refuse_header(path, "is not a JSON object")
    return parsed


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The pairs as a dict. A name that stands twice would let two readers see two models in one file."""
    result: dict[str, object] = {}
    for name, value in pairs:
        if not _is_unicode(name):
            raise _Ambiguous("holds a name that is not Unicode")
        if name in result:
            raise _Ambiguous(f"names {_shown(name)} twice")
        result[name] = value
    return result


def _no_constant(word: str) -> NoReturn:
    raise _Ambiguous(f"holds {word}, which is not JSON")


def _metadata(path: Path, value: object) -> dict[str, str]:
    """The texts that the file carries beside its tensors."""
    if not isinstance(value, dict):
        _refuse_header(path, "has metadata that is not an object of texts")
    for name, text in value.items():
        if not isinstance(text, str) or not _is_unicode(text):
            _refuse_header(path, f"has metadata {_shown(name)} that is not a text")
    return value


def _entry(path: Path, name: str, value: object) -> Entry:
    """One tensor's place, whose length is that of its shape and dtype."""
    where = f"tensor {_shown(name)}"
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise Refused(f"{path}: {where} must be described by dtype, shape and data_offsets, and nothing else.")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str):
        raise Refused(f"{path}: {where} has a dtype that is not a text.")
    if dtype not in ITEM_BYTES:
        raise Refused(f"{path}: {where} has the unknown dtype {_shown(dtype)}; known are {', '.join(ITEM_BYTES)}.")
    if not _are_counts(shape):
        raise Refused(f"{path}: {where} has a shape that is not a list of whole numbers from 0 up.")
    if len(shape) > MOST_DIMENSIONS:
        raise Refused(f"{path}: {where} has {len(shape)} dimensions; at most {MOST_DIMENSIONS} are read.")
    # A size of 0 must not hide the others: torch multiplies those too.
    if math.prod(max(size, 1) for size in shape) > LARGEST // ITEM_BYTES[dtype]:
        raise Refused(f"{path}: {where} has a shape too large for any memory.")
    length = math.prod(shape) * ITEM_BYTES[dtype]
    if not _are_counts(offsets) or len(offsets) != 2:
        raise Refused(f"{path}: {where} has offsets that are not two whole numbers from 0 up.")
    begin, end = offsets
    if end - begin != length:
        raise Refused(f"{path}: {where} needs {length} bytes by its shape and dtype, but has {end - begin}.")
    return Entry(dtype, tuple(shape), begin, end)


def _refuse_gaps(path: Path, tensors: Mapping[str, Entry], data_bytes: int) -> None:
    """The tensors must cover the bytes after the header: each byte once, none beyond, none left over."""
    covered = 0
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.end > data_bytes:
            raise Refused(
                f"{path} is cut off or damaged: tensor {_shown(name)} ends at byte {entry.end}, "
                f"the file at {data_bytes}."
            )
        if entry.begin < covered:
            raise Refused(f"{path}: tensor {_shown(name)} shares bytes with another tensor.")
        if entry.begin > covered:
            raise Refused(f"{path}: {entry.begin - covered} bytes before tensor {_shown(name)} belong to no tensor.")
        covered = entry.end
    if covered < data_bytes:
        raise Refused(f"{path}: {data_bytes - covered} bytes after the last tensor belong to no tensor.")


def _are_counts(value: object) -> TypeGuard[list[int]]:
    """Whether a value of JSON is a list of whole numbers from 0 up (True and False are none)."""
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _is_unicode(text: str) -> bool:
    """Whether a text can be written down: JSON can spell half a character, which nothing can show or save."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    """A stranger's name, quoted, with its control characters spelt out, cut where it is long."""
    return repr(name if len(name) <= 60 else name[:57] + "...")
