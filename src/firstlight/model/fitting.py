"""Step 3, fit: the constant guess, the straight line, and the network, each on training rows alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.model.building import build_network, outputs_for, parts_of
from firstlight.model.encoding import Encoders, encode
from firstlight.model.predictor import CONSTANT, LINE, NETWORK, Predictor, Unit
from firstlight.plain.calibration import conformal_halfwidth, fit_temperature, fit_weights, least_squares_weights
from firstlight.plain.line import Line, least_squares, logistic
from firstlight.plain.loop import held_out_mean, held_out_outputs, keeping_best, up_to
from firstlight.plain.split import folds_of
from firstlight.plain.targets import blended, member_log_losses, member_squared_errors
from firstlight.plan.plan import Plan

MANY_CELLS = 2_000_000  # rows times features from which on fitting the line once a fold would take minutes
RANGE_SHARE = 0.95  # of new rows, whose truth low to high is meant to hold


class Epoch(NamedTuple):
    """One pass over the training rows. Losses are means over rows and over the members that they are of."""

    part: str  # of the network
    number: int
    training_loss: float  # of the members on rows that they learn from, while they learn
    held_out_loss: float  # of the members on rows of the fold that they hold out


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the models learn from: the encoded training rows, their targets, and the fold of each row."""

    plan: Plan
    encoders: Encoders
    inputs: dict[str, Any]
    targets: Tensor  # (rows,) classes int64, or numbers float64 in their own unit
    folds: Tensor  # (rows,) int64


def prepare(rows: pl.DataFrame, plan: Plan, encoders: Encoders, targets: Tensor, kin: Tensor) -> Lesson:
    """Encodes the training rows, once, and deals them into folds; targets, kin: (rows,), kin stays in one fold."""
    strata = targets if dealt_by_class(plan) else torch.zeros_like(kin)
    _, kin = kin.unique(return_inverse=True)  # counted anew: some of the rows are elsewhere
    folds = folds_of(strata, kin, plan.fitting.folds, plan.fitting.seed)
    return Lesson(plan, encoders, encode(rows, plan, encoders), targets, folds)


def dealt_by_class(plan: Plan) -> bool:
    """Whether each fold gets its share of each class: where rows of one kin are of one class."""
    return plan.target.task == "classification" and plan.split.way != "group"


def fit_line(line: Line, lesson: Lesson) -> Tensor:
    """Fits the line to all training rows; returns for each row the outputs of a line that did not see its fold.

    Of a large table two folds are enough to compare by: the rows of the others are NaN.
    """
    with torch.no_grad():
        design = line.design(lesson.inputs)
    whole = _line_through(design, lesson.targets, lesson, None)
    held_out = torch.full((len(design), outputs_for(lesson.encoders)), torch.nan, dtype=design.dtype)
    folds = lesson.folds.unique()
    for fold in folds if design.numel() <= MANY_CELLS else folds[:2]:
        out = lesson.folds == fold
        weight, bias = _line_through(design[~out], lesson.targets[~out], lesson, whole)
        held_out[out] = design[out] @ weight.T + bias
    line.load_state_dict({**line.state_dict(), "sums.weight": whole[0], "sums.bias": whole[1]})
    return held_out


def _line_through(
    design: Tensor, targets: Tensor, lesson: Lesson, near: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Weights and biases; a line that is near is a shorter way to go from, and the end of the way is the same."""
    if lesson.plan.target.task == "classification":
        return logistic(design, targets, outputs_for(lesson.encoders), near)
    return least_squares(design, targets)


def unit_of(lesson: Lesson) -> Unit:
    """Mean and standard deviation of the training targets, in which the network learns a number."""
    if lesson.plan.target.task == "classification":
        return Unit(0.0, 1.0)
    return Unit(lesson.targets.mean().item(), lesson.targets.std(correction=0).item() or 1.0)


def born(lesson: Lesson) -> nn.ModuleDict:
    """The parts of the network as they are born: random."""
    return build_network(lesson.plan, lesson.encoders, lesson.inputs)


def fit_network(network: nn.ModuleDict, lesson: Lesson) -> Iterator[Epoch]:
    """Gradient descent on each part of the network; when it ends, or is interrupted, each is the best so far."""
    classes = lesson.plan.target.task == "classification"
    unit = unit_of(lesson)
    targets = lesson.targets if classes else ((lesson.targets - unit.mean) / unit.deviation).float()
    losses_of = member_log_losses if classes else member_squared_errors
    last_epochs = lesson.plan.last_epochs
    for part in parts_of(lesson.plan, lesson.encoders):
        module = network[part.name]
        learns = part.learns(lesson.folds)
        torch.manual_seed(lesson.plan.fitting.seed)  # whatever used chance since the part was born
        epochs = part.fit(module, lesson.inputs, targets, learns, losses_of)
        for epoch in keeping_best(module, up_to(epochs, last_epochs[part.name])):
            yield Epoch(part.name, *epoch)


def finish(network: nn.ModuleDict, line: Line, line_held_out: Tensor, lesson: Lesson) -> Predictor:
    """The predictor: calibrated, and with the better of line and network, by training rows that each had not seen."""
    targets, unit = lesson.targets, unit_of(lesson)
    held_out = _held_out_answers(network, lesson)
    both = ~held_out[:, :, 0].isnan().any(dim=0) & ~line_held_out[:, 0].isnan()
    halfwidths = {NETWORK: 0.0, LINE: 0.0, CONSTANT: 0.0}
    if lesson.plan.target.task == "classification":
        weights, bias = _belief(held_out, targets)
        losses = {
            NETWORK: F.nll_loss(blended(held_out[:, both], weights, bias).log(), targets[both]),
            LINE: F.cross_entropy(line_held_out[both], targets[both]),
        }
        constant = torch.bincount(targets, minlength=len(lesson.encoders.labels)).double() / len(targets)
    else:
        scaled = ((targets - unit.mean) / unit.deviation).float()  # as the members learned them
        weights, bias = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        if len(held_out) > 1:
            weights = least_squares_weights(held_out[:, :, 0], scaled)
        together = (weights.unsqueeze(1) * held_out[:, :, 0]).sum(dim=0)
        guesses = {
            NETWORK: together * unit.deviation + unit.mean,
            LINE: line_held_out.flatten(),
            CONSTANT: targets.mean().expand(len(targets)),
        }
        errors = {name: targets - guess for name, guess in guesses.items()}
        losses = {name: error[both].square().mean() for name, error in errors.items()}
        halfwidths = {name: conformal_halfwidth(error[~error.isnan()], RANGE_SHARE) for name, error in errors.items()}
        constant = targets.mean().unsqueeze(0)
    for part in parts_of(lesson.plan, lesson.encoders):
        part.settle(network[part.name])
    kept = NETWORK if losses[NETWORK] < losses[LINE] or not math.isfinite(losses[LINE]) else LINE
    return Predictor(
        plan=lesson.plan, encoders=lesson.encoders, network=network.eval(), weights=weights, bias=bias,
        line=line.eval(), constant=constant, unit=unit, halfwidths=halfwidths, kept=kept,
        held_out_losses={name: losses[name].item() for name in (NETWORK, LINE)},
    )  # fmt: skip


def _belief(held_out: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The weight of each part and the bias of each class; a part that stands alone only has a temperature.

    held_out: probabilities (parts, rows, classes).
    """
    if len(held_out) > 1:
        return fit_weights(held_out, targets)
    temperature = fit_temperature(held_out[0].clamp_min(1e-12).log(), targets)
    return torch.tensor([1 / temperature], dtype=torch.float64), torch.zeros(held_out.shape[2], dtype=torch.float64)


def _held_out_answers(network: nn.ModuleDict, lesson: Lesson) -> Tensor:
    """What each part answers to each training row by members that hold it out: (parts, rows, outputs) float64.

    Probabilities, or numbers in deviations from the mean; NaN for a row that no member holds out.
    """
    answers = []
    for part in parts_of(lesson.plan, lesson.encoders):
        learns = part.learns(lesson.folds)
        outputs = held_out_outputs(network[part.name], lesson.inputs, learns).double()
        classes = lesson.plan.target.task == "classification"
        answers.append(held_out_mean(outputs.softmax(dim=-1) if classes else outputs, learns))
    return torch.stack(answers)
