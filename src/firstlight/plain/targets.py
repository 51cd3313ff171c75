"""The target: from cells to what a model is fitted to (step 1), and from outputs to answers (step 4)."""

import polars as pl
from torch import Tensor
from torch.nn import functional as F

from firstlight.plain.categories import words


def labels_of(cells: pl.Series) -> list[str]:
    """The different labels, in the order of their numbers where they are numbers, of their letters elsewhere."""
    labels = words(cells).unique().sort()
    numbers = labels.cast(pl.Float64, strict=False)
    return (labels.gather(numbers.arg_sort()) if numbers.null_count() == 0 else labels).to_list()


def member_log_losses(outputs: Tensor, classes: Tensor) -> Tensor:
    """Log loss of each member on each row, (members, rows); outputs: (members, rows, classes); classes: (rows,)."""
    return F.cross_entropy(outputs.movedim(-1, 1), classes.expand(len(outputs), -1), reduction="none")


def member_squared_errors(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error of each member on each row: (members, rows); outputs: (members, rows, 1); targets: (rows,)."""
    return (outputs.squeeze(-1) - targets).square()


def goals_of(targets: Tensor, outputs: int) -> Tensor:
    """What answers shall come to: numbers (rows, 1), or 0 and 1 for each class, of two for the second: float32."""
    if targets.is_floating_point():
        return targets.float().unsqueeze(1)
    goals = F.one_hot(targets, outputs).float()
    return goals[:, 1:] if outputs == 2 else goals


def as_goals(answers: Tensor, classes: bool) -> Tensor:
    """Answers (..., columns) as the goals are: numbers, or probabilities of classes, of one where there are two."""
    if not classes:
        return answers
    if answers.shape[-1] == 1:
        return answers.sigmoid()
    powers = (answers - answers.amax(-1, keepdim=True)).exp()  # a softmax: faster like this over few classes
    return powers / powers.sum(-1, keepdim=True)


def blended(probabilities: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """Probabilities (rows, classes) from those of a model's parts (parts, rows, classes), by the parts' weights."""
    logs = probabilities.double().clamp_min(1e-12).log()
    return ((weights.view(-1, 1, 1) * logs).sum(dim=0) + bias).softmax(dim=-1)
