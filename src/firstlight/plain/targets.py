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


def sharpen(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities made surer (temperature below 1) or less sure (above 1); their order stays."""
    return (probabilities.clamp_min(1e-12).log() / temperature).softmax(dim=-1)


def blended(probabilities: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """Probabilities (rows, classes) from those of a model's parts (parts, rows, classes), by the parts' weights."""
    logs = probabilities.double().clamp_min(1e-12).log()
    return ((weights.view(-1, 1, 1) * logs).sum(dim=0) + bias).softmax(dim=-1)
