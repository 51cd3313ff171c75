"""A straight line, found again from its points: the six steps of a PyTorch project, on the smallest model.

Printed by `firstlight demo`. It needs torch and safetensors, and writes its two models where it is run.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def points(weight: float, bias: float, noise: float, rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs x from 0 to just under 1, and answers y = weight * x + bias + noise: columns, a row a point."""
    x = torch.arange(0, 1, 1 / rows)[:rows].unsqueeze(dim=1)  # (rows, 1); rounding can add a last x of 1
    chance = torch.Generator().manual_seed(seed)
    return x, weight * x + bias + noise * torch.randn(x.shape, generator=chance)


def split(column: Tensor) -> tuple[Tensor, Tensor]:
    """The first 80 % of the rows to learn from (train), the rest to be asked about (test)."""
    train_rows = len(column) * 4 // 5
    return column[:train_rows], column[train_rows:]


class HandWrittenLine(nn.Module):
    """A line with its two parameters written out."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(1))
        self.bias = nn.Parameter(torch.randn(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weights * x + self.bias


class LinearLayerLine(nn.Module):
    """The same line, from a layer that brings both along."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(1, 1)  # one in, one out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear_layer(x)
        return y


def loss_of(predictions: Tensor, answers: Tensor) -> Tensor:
    """How far the predictions are from the answers, on average: L1 loss, also called mean absolute error."""
    if predictions.shape != answers.shape:  # PyTorch only warns, and compares each row with every other
        raise ValueError(f"predictions {list(predictions.shape)} do not fit answers {list(answers.shape)}")
    loss: Tensor = nn.L1Loss()(predictions, answers)
    return loss


def epochs(model: nn.Module, x: Tensor, y: Tensor, steps: int, rate: float) -> Iterator[tuple[float, float]]:
    """Gradient descent; yields the train loss before each step and the test loss after it."""
    (x_train, x_test), (y_train, y_test) = split(x), split(y)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(steps):
        model.train()
        loss = loss_of(model(x_train), y_train)  # forward: how wrong is it?
        optimiser.zero_grad()  # forget the last step's gradients
        loss.backward()  # backpropagation: which way is up, for each parameter
        optimiser.step()  # gradient descent: a small step down
        model.eval()
        with torch.inference_mode():  # nothing is learned from test rows
            test_loss = loss_of(model(x_test), y_test)
        yield loss.item(), test_loss.item()


def line_of(model: nn.Module) -> tuple[float, float]:
    """The weight and the bias of either module."""
    weight, bias = (parameter.item() for parameter in model.parameters())
    return weight, bias


def learn(make: type[nn.Module], file: str, x: Tensor, y: Tensor, steps: int, rate: float, seed: int) -> None:
    """Steps 2 to 5 for one kind of module."""
    # 2 Build: a module whose parameters are random
    torch.manual_seed(seed)
    model = make()
    print(f"{make.__name__} is born with", *line_of(model))
    # 3 Fit: gradient descent
    for epoch, (train_loss, test_loss) in enumerate(epochs(model, x, y, steps, rate)):
        if epoch % 10 == 0:
            print(f"epoch {epoch:4d}  train loss {train_loss:.4f}  test loss {test_loss:.4f}")
    # 4 Evaluate: the rows that no step has used
    (_, x_test), (_, y_test) = split(x), split(y)
    with torch.inference_mode():
        predictions = model(x_test)
    print("and ends with", *line_of(model), "test loss", loss_of(predictions, y_test).item())
    # 5 Save and load: the parameters alone, into a new module
    save_file(model.state_dict(), file)
    loaded = make()
    loaded.load_state_dict(load_file(file))
    with torch.inference_mode():
        assert torch.equal(loaded(x_test), predictions), f"{file} does not give the model that was saved"


def main(weight: float, bias: float, noise: float, rows: int, steps: int, rate: float, seed: int) -> None:
    """The six steps, with the parameters written by hand, then with a layer."""
    # 1 Prepare: points of a line that we know, so that we can see whether it is found
    x, y = points(weight, bias, noise, rows, seed)
    learn(HandWrittenLine, "line.safetensors", x, y, steps, rate, seed)
    # 6 Together: all of it once more, with nn.Linear
    learn(LinearLayerLine, "linear.safetensors", x, y, steps, rate, seed)
