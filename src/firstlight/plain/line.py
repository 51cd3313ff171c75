"""The straight line: a weighted sum of the features, and the first thing that a network has to beat (steps 2 and 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PENALTIES = 10.0 ** torch.arange(-2, 9, dtype=torch.float64)  # on weights whose features have a deviation of 1
ROWS_AT_ONCE = 2**13  # so that memory stays bounded
COLUMNS_AT_ONCE = 128
ROWS_ASKED = 10_000  # when a penalty is chosen


class Line(nn.Module):
    """Weighted sums of the features of all columns: inputs to (rows, outputs) float64, with weights in float64.

    inputs: a tensor for each kind of column, (rows, ...) each, under the names of `features`.
    """

    def __init__(self, features: nn.ModuleDict, outputs: int) -> None:
        super().__init__()
        self.features = features
        width = sum(feature.width for feature in features.values())  # type: ignore[misc]
        self.sums = nn.Linear(width, outputs, dtype=torch.float64)

    def design(self, inputs: dict[str, Tensor]) -> Tensor:
        """The features of all columns side by side: (rows, width) float64."""
        return torch.cat([feature(inputs[name]).double() for name, feature in self.features.items()], dim=1)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.sums(self.design(inputs))  # type: ignore[no-any-return]


def least_squares(design: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (1, width) and bias (1,) with the least squared error, in closed form, held small as far as that helps.

    design: (rows, width) float64; targets: (rows,) float64.
    It solves the normal equations (X'X + penalty I) w = X'y of the centred columns, which is ridge regression. Of all
    penalties that one is taken with which each row is predicted best by the line through all others.
    """
    mean, target_mean = design.mean(dim=0), targets.mean()
    gram, product = torch.zeros(len(mean), len(mean)).double(), torch.zeros(len(mean)).double()
    for block, truth in zip(design.split(ROWS_AT_ONCE), targets.split(ROWS_AT_ONCE), strict=True):
        centred = block - mean
        gram += products_of_columns(centred)
        product += centred.T @ (truth - target_mean)
    strengths, directions = torch.linalg.eigh(gram)
    pull = directions.T @ product
    shrunk = 1 / (strengths.clamp_min(0).unsqueeze(1) + PENALTIES)  # (width, penalties)
    asked = slice(None, None, max(1, len(design) // ROWS_ASKED))  # of very many rows some are enough
    turned, truth = (design[asked] - mean) @ directions, targets[asked] - target_mean
    errors = left_out_errors(turned, truth, pull, shrunk, len(design))
    weight = directions @ (pull * shrunk[:, errors.argmin()])
    return weight.unsqueeze(0), (target_mean - mean @ weight).unsqueeze(0)


def products_of_columns(values: Tensor) -> Tensor:
    """values.T @ values, (width, width): as it is the same above and below the diagonal, each half is reckoned once."""
    products = torch.empty(values.shape[1], values.shape[1], dtype=values.dtype)
    for first in range(0, values.shape[1], COLUMNS_AT_ONCE):
        some = slice(first, first + COLUMNS_AT_ONCE)
        strip = values[:, some].T @ values[:, first:]
        products[some, first:], products[first:, some] = strip, strip.T
    return products


def left_out_errors(turned: Tensor, truth: Tensor, pull: Tensor, shrunk: Tensor, rows: int) -> Tensor:
    """The squared error that each penalty makes on a row when the line goes through all others: (penalties,).

    turned: rows along the directions, (asked, width). No line is fitted again: how far a row draws the line towards
    itself tells by how much it would miss without it. Source: Allen 1974 (PRESS).
    """
    errors = truth.unsqueeze(1) - turned @ (pull.unsqueeze(1) * shrunk)
    draw = turned.square() @ shrunk + 1 / rows
    return (errors / (1 - draw).clamp_min(1e-9)).square().mean(dim=0)


def logistic(
    design: Tensor, classes: Tensor, outputs: int, start: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Weights (outputs, width) and biases (outputs,) with the least log loss; a penalty of 1 steadies the weights.

    design: (rows, width) float64; classes: (rows,) int64; start: weights and biases to set out from, else zeros.
    The sum of the log losses plus half the squares of the weights is a bowl with one lowest point. Newton's method
    sees how the bowl slopes and bends where it stands, and goes to where its lowest point should then be; over and
    over, until it is there.
    """
    mean = design.mean(dim=0)
    features = F.pad(design - mean, (0, 1), value=1.0)  # a last column of ones: its weights are the biases
    rough = features.float()  # exact enough to choose a direction by, and faster
    held = F.pad(torch.ones_like(mean), (0, 1))  # the penalty holds the weights, not the biases
    goals = F.one_hot(classes, outputs).T.double()
    weight = torch.zeros(outputs, len(held), dtype=torch.float64)
    if start:
        weight = torch.cat([start[0], (start[1] + start[0] @ mean).unsqueeze(1)], dim=1)
        weight = weight - weight.mean(dim=0)  # the same for all classes changes no probability, but costs
    answers = weight @ features.T  # (outputs, rows): products are faster with the classes first
    chances = answers.softmax(dim=0)
    unbend = inverse_bends(features, (chances * (1 - chances)).mean(dim=0, keepdim=True), held)
    for _ in range(200):
        slope = (chances - goals) @ features + held * weight
        direction, soon = newton_direction(rough, chances.float(), slope.float(), held.float(), unbend)
        along = direction @ features.T
        length = lowest_along(answers, along, goals, (held * weight * direction).sum(), (held * direction**2).sum())
        weight, answers = weight + length * direction, answers + length * along
        chances = answers.softmax(dim=0)
        if (slope * direction).sum() > -1e-8:  # the last step moved no row's probability by more than about 1e-4
            break
        if not soon and outputs * len(held) ** 2 < 1e8:  # more would not fit into memory
            unbend = inverse_bends(features, chances * (1 - chances), held)
    return weight[:, :-1], weight[:, -1] - weight[:, :-1] @ mean


def inverse_bends(features: Tensor, doubts: Tensor, held: Tensor) -> Tensor:
    """The inverse of how the loss bends with the weights of one class alone, for each: (classes, width, width) float32.

    doubts: (classes, rows), the probability times the rest to 1; rows without much doubt hardly bend the loss.
    """
    inverses = []
    for doubt in doubts:
        near = doubt > 0.01 * doubt.max()
        bend = features[near].T @ (features[near] * doubt[near].unsqueeze(1)) + held.clamp_min(1e-3).diag()
        inverses.append(torch.cholesky_inverse(torch.linalg.cholesky(bend)).float())
    return torch.stack(inverses)


def newton_direction(
    features: Tensor, chances: Tensor, slope: Tensor, held: Tensor, unbend: Tensor
) -> tuple[Tensor, bool]:
    """Solves bend @ direction = -slope to about a tenth: (outputs, width) float64; and whether few steps were enough.

    The bend of all classes together is too large to write down, but easy to multiply by a direction, which is all that
    conjugate gradients need. Undoing first how each class bends alone (`unbend`) saves most of their steps.
    """

    def undone(left: Tensor) -> Tensor:
        alone = (unbend @ left.unsqueeze(2)).squeeze(2)
        return alone - alone.mean(dim=0)  # at the lowest point the weights of all classes add up to 0

    direction, left = torch.zeros_like(slope), -slope
    sought = undone(left)
    gain = first = (left * sought).sum()
    for _ in range(20):
        if gain <= 0.01 * first:
            return direction.double(), True
        spread = chances * (sought @ features.T)
        bent = (spread - chances * spread.sum(dim=0)) @ features + held * sought
        length = gain / (sought * bent).sum()
        direction, left = direction + length * sought, left - length * bent
        nearer = undone(left)
        last, gain = gain, (left * nearer).sum()
        sought = nearer + gain / last * sought
    return direction.double(), False


def lowest_along(answers: Tensor, along: Tensor, goals: Tensor, pull: Tensor, bend: Tensor) -> Tensor:
    """How far to go along a direction to where the loss is lowest, nearly: a number.

    pull, bend: first and second derivative of the penalty. Newton's method in one unknown, kept between a length that
    is too short and one that is too long.
    """
    length, low, high = torch.ones(()), torch.zeros(()), torch.tensor(torch.inf)
    for _ in range(20):
        shares = (answers + length * along).softmax(dim=0) * along
        first = (shares - goals * along).sum() + pull + length * bend
        second = (shares * along).sum() - shares.sum(dim=0).square().sum() + bend
        step = first / second
        if step.abs() < 0.1 * length:
            break
        low, high = (length, high) if first < 0 else (low, length)
        length = length - step
        if not low < length < high:
            length = (low + high.clamp_max(3 * low + 1)) / 2
    return length
