"""How long networks of convolutions over pictures take to fit on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch

from firstlight.kinds.image_columns import FOLDS
from firstlight.kinds.precision import half_pays
from firstlight.machine import measured_once
from firstlight.plain.convolutions import PATTERNS_SEEN, Eye, Pictures, fit_pictures, step_of
from firstlight.plain.loop import learning
from firstlight.plain.targets import member_log_losses

READ = 200  # products that take as long as reading a number that was written, to pool it say; seen on two cores
STEP_OVERHEAD = 0.005  # seconds a step that do not depend on sizes; seen likewise


class Layer(NamedTuple):
    """What a layer does to one picture: how many numbers it makes, products that each takes, how often it is read."""

    numbers: int
    products: int
    read: int


def layers(height: int, width: int, channels: int, patch: int, first: int, stages: int) -> Iterator[Layer]:
    """The layers of a network over pictures, in order."""
    before = 2 * min(PATTERNS_SEEN, channels * patch**2)
    step = step_of(patch)
    high, wide = math.ceil(height / step), math.ceil(width / step)
    yield Layer(2 * height * width * channels, 0, 1)  # which varies the picture
    yield Layer(high * wide * before // 2, channels * patch**2, 2)
    for stage in range(stages):
        after = first * min(2**stage, 4)
        yield Layer(high * wide * after, 9 * before, 1)
        high, wide, before = math.ceil(high / 2), math.ceil(wide / 2), after
        yield Layer(high * wide * after, 9 * after, 2)


def work(found: Iterable[Layer]) -> int:
    """How many products take as long as these layers."""
    return sum(layer.numbers * (layer.products + READ * layer.read) for layer in found)


def products_a_second() -> float:
    """How many products a second one member of the network learns from here; measured once."""
    name = f"torch {torch.__version__} threads {torch.get_num_threads()} products over pictures"
    return measured_once(name + (" in bfloat16" if half_pays() else ""), _measure)


def _measure() -> float:
    height, width, patch, first, stages = 28, 28, 3, 32, 3
    pictures = torch.arange(512 * height * width).remainder(251).to(torch.uint8).view(-1, 1, height, width, 1)
    targets = torch.arange(len(pictures)) % 10
    model = Pictures("pictures", [Eye(1, patch, first, stages)], 1, 10, mirror=True, half=half_pays())
    learns = learning(torch.arange(len(pictures)) % FOLDS, 1)
    seconds = []
    for _ in range(3):  # the first time, memory is set up
        start = time.perf_counter()
        list(
            fit_pictures(
                model, {"pictures": pictures}, targets, learns, member_log_losses, 1, 128, 0.02, 0.05, 0.07, 0.0
            )
        )
        seconds.append(time.perf_counter() - start)
    return len(pictures) * work(layers(height, width, 1, patch, first, stages)) / min(seconds)


def seconds_an_epoch(pictures: int, products: int, steps: float) -> float:
    """How long one member takes for so many pictures, of which each takes so many products, in so many steps."""
    return pictures * products / products_a_second() + math.ceil(steps) * STEP_OVERHEAD
