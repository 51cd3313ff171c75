"""The straight line: a weighted sum of the features, and the first thing that a network has to beat (steps 2 and 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
    """Weights (1, width) and bias (1,) with the least squared error, in closed form; a penalty of 1 steadies them.

    design: (rows, width) float64; targets: (rows,) float64.
    It solves the normal equations (X'X + I) w = X'y of the centred columns, which is ridge regression.
    """
    mean, target_mean = design.mean(dim=0), targets.mean()
    centred = design - mean
    gram = centred.T @ centred + torch.eye(design.shape[1], dtype=design.dtype)
    weight = torch.linalg.solve(gram, centred.T @ (targets - target_mean))
    return weight.unsqueeze(0), (target_mean - mean @ weight).unsqueeze(0)


def logistic(design: Tensor, classes: Tensor, outputs: int) -> tuple[Tensor, Tensor]:
    """Weights (outputs, width) and biases (outputs,) with the least log loss; a penalty of 1 steadies the weights.

    design: (rows, width) float64; classes: (rows,) int64. The sum of the log losses plus half the squares of the
    weights is a bowl with one lowest point. L-BFGS walks down to it with every row at every step; the columns are
    turned first so that the bowl is about equally wide in all directions, which makes the walk short.
    """
    mean, rows = design.mean(dim=0), len(design)
    centred = design - mean
    identity = torch.eye(design.shape[1], dtype=design.dtype)
    gram = (centred.T @ centred + identity) / rows
    turn: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky(gram), identity, upper=False)
    turned = centred @ turn.T
    weight = torch.zeros(outputs, design.shape[1], dtype=design.dtype, requires_grad=True)
    bias = torch.zeros(outputs, dtype=design.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=200, tolerance_grad=1e-7, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(turned @ weight.T + bias, classes)
        loss = loss + (weight @ turn).square().sum() / (2 * rows)
        loss.backward()
        return loss

    optimiser.step(loss)
    with torch.no_grad():
        return weight @ turn, bias - weight @ turn @ mean
