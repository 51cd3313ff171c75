"""Step 4, predict: from the rows of a table to answers, by the network, the straight line and the constant guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor, nn

from firstlight.model.answers import Answers, ClassAnswers, NumberAnswers
from firstlight.model.encoding import Encoders, encode
from firstlight.plain.line import Line
from firstlight.plain.loop import outputs_of, rows_of
from firstlight.plain.network import Members
from firstlight.plain.targets import sharpen
from firstlight.plan.plan import Plan

NETWORK, LINE, CONSTANT = "network", "straight line", "constant"
BLOCK = 65_536  # rows that are answered at a time, so that memory stays bounded


@dataclass(frozen=True)
class Unit:
    """The unit in which the network learns a number: how many deviations it lies from the mean."""

    mean: float
    deviation: float


@dataclass(frozen=True, eq=False)
class Predictor:
    """All that is needed to answer: the plan, the encoders, the fitted modules and their calibration.

    kept:            which of network and line is the model; the others stand beside it to compare.
    temperature:     of the network's class probabilities.
    halfwidths:      of the range around a number, by name; zero for classes.
    held_out_losses: of network and line on training rows that they had not learned from (log loss, or squared error).
    """

    plan: Plan
    encoders: Encoders
    network: Members
    line: Line
    constant: Tensor  # (classes,) shares, or (1,) mean; float64
    unit: Unit
    temperature: float
    halfwidths: Mapping[str, float]
    kept: str
    held_out_losses: Mapping[str, float]

    @property
    def model(self) -> nn.Module:
        """The module that was kept."""
        return self.network if self.kept == NETWORK else self.line

    def answer(self, rows: pl.DataFrame) -> Answers:
        """The kept model's answers; rows: any table with the plan's columns."""
        return self.answers(rows, (self.kept,))[self.kept]

    def answers(self, rows: pl.DataFrame, names: tuple[str, ...] = (NETWORK, LINE, CONSTANT)) -> dict[str, Answers]:
        """The answers of the models of these names."""
        inputs = encode(rows, self.plan, self.encoders)
        return {name: self._answers_of(name, inputs, len(rows)) for name in names}

    def _answers_of(self, name: str, inputs: dict[str, Tensor], rows: int) -> Answers:
        blocks = torch.arange(rows).split(BLOCK)
        values = torch.cat([self._values_of(name, rows_of(inputs, block), len(block)) for block in blocks])
        if self.plan.target.task == "classification":
            return ClassAnswers(values)
        numbers = values.flatten()
        return NumberAnswers(numbers, numbers - self.halfwidths[name], numbers + self.halfwidths[name])

    def _values_of(self, name: str, inputs: dict[str, Tensor], rows: int) -> Tensor:
        """Probabilities (rows, classes), or numbers (rows, 1) in the target's own unit; float64."""
        classes = self.plan.target.task == "classification"
        if name == CONSTANT:
            return self.constant.expand(rows, -1)
        if name == LINE:
            with torch.inference_mode():
                sums: Tensor = self.line(inputs)
            return sums.softmax(dim=-1) if classes else sums
        outputs = outputs_of(self.network, inputs, rows)
        if classes:
            return sharpen(outputs.double().softmax(dim=-1).mean(dim=0), self.temperature)
        return outputs.double().mean(dim=0) * self.unit.deviation + self.unit.mean
