"""Step 4, predict: from the rows of a table to answers, by the network, the straight line and the constant guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from firstlight.model.answers import Answers, ClassAnswers, NumberAnswers
from firstlight.model.encoding import Encoders, encode
from firstlight.plain.line import Line
from firstlight.plain.loop import outputs_of
from firstlight.plain.targets import blended
from firstlight.plan.plan import Plan

NETWORK, LINE, CONSTANT = "network", "straight line", "constant"
BLOCK = 65_536  # rows that are encoded and answered at a time, so that memory stays bounded


def as_one(network: nn.ModuleDict) -> nn.Module:
    """The parts of a network as one module: a part that stands alone is the network."""
    parts: list[nn.Module] = list(network.values())
    return parts[0] if len(parts) == 1 else network


@dataclass(frozen=True)
class Unit:
    """The unit in which the network learns a number: how many deviations it lies from the mean."""

    mean: float
    deviation: float


@dataclass(frozen=True, eq=False)
class Predictor:
    """All that is needed to answer: the plan, the encoders, the fitted modules and their calibration.

    network:         the parts of the network, by name.
    weights, bias:   how much each of them is believed, (parts,), and what is added for each class, (outputs,); float64.
    kept:            which of network and line is the model; the others stand beside it to compare.
    halfwidths:      of the range around a number, by name; zero for classes.
    held_out_losses: of network and line on training rows that they had not learned from (log loss, or squared error).
    """

    plan: Plan
    encoders: Encoders
    network: nn.ModuleDict
    weights: Tensor
    bias: Tensor
    line: Line
    constant: Tensor  # (classes,) shares, or (1,) mean; float64
    unit: Unit
    halfwidths: Mapping[str, float]
    kept: str
    held_out_losses: Mapping[str, float]

    @property
    def model(self) -> nn.Module:
        """The module that was kept."""
        return self.line if self.kept == LINE else as_one(self.network)

    def answer(self, rows: pl.DataFrame) -> Answers:
        """The kept model's answers; rows: any table with the plan's columns."""
        return self.answers(rows, (self.kept,))[self.kept]

    def answers(self, rows: pl.DataFrame, names: tuple[str, ...] = (NETWORK, LINE, CONSTANT)) -> dict[str, Answers]:
        """The answers of the models of these names."""
        found: dict[str, list[Tensor]] = {name: [] for name in names}
        read = self._blocks_read(names)
        for start in range(0, max(1, len(rows)), BLOCK):
            block = rows.slice(start, BLOCK)
            inputs = encode(block, self.plan, self.encoders, read)
            for name, values in found.items():
                values.append(self._values_of(name, inputs, len(block)))
        return {name: self._told(name, torch.cat(values)) for name, values in found.items()}

    def _blocks_read(self, names: tuple[str, ...]) -> set[str]:
        """What the models of these names read, by the names under which the inputs hold it."""
        of_network = {*self.plan.cell_blocks, *self.plan.part_blocks} if NETWORK in names else set()
        return of_network | ({kind.block for kind in self.plan.kinds} if LINE in names else set())

    def _told(self, name: str, values: Tensor) -> Answers:
        if self.plan.target.task == "classification":
            return ClassAnswers(values)
        numbers = values.flatten()
        return NumberAnswers(numbers, numbers - self.halfwidths[name], numbers + self.halfwidths[name])

    def _values_of(self, name: str, inputs: dict[str, Any], rows: int) -> Tensor:
        """Probabilities (rows, classes), or numbers (rows, 1) in the target's own unit; float64."""
        classes = self.plan.target.task == "classification"
        if name == CONSTANT:
            return self.constant.expand(rows, -1)
        if name == LINE:
            with torch.inference_mode():
                sums: Tensor = self.line(inputs)
            return sums.softmax(dim=-1) if classes else sums
        believed = (self.weights > 0) | (self.weights == self.weights.max())  # the others need not be asked
        parts = [part for part, counts in zip(self.network.values(), believed, strict=True) if counts]
        outputs = [outputs_of(part, inputs, torch.arange(rows)).double() for part in parts]
        weights = self.weights[believed]
        if classes:
            return blended(torch.stack([each.softmax(dim=-1).mean(dim=0) for each in outputs]), weights, self.bias)
        numbers = torch.stack([each.mean(dim=0) for each in outputs])
        return (weights.view(-1, 1, 1) * numbers).sum(dim=0) * self.unit.deviation + self.unit.mean
