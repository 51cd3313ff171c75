"""One way to train one network on the same rows; prints the median seconds of an epoch, and R2 on training rows.

Run as `python loop_peer.py WAY WIDTH LAYERS`, where what the way needs is installed.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

ROWS, COLUMNS, BATCH, RATE = 100_000, 30, 256, 1e-3
EPOCHS = 6  # of which the first is not counted: it warms up
CHECKED = 10_000

Answer = Callable[[Tensor], Tensor]


def table() -> tuple[Tensor, Tensor]:
    """Rows (ROWS, COLUMNS) and targets (ROWS, 1), float32; some of it is a product of columns."""
    chance = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, COLUMNS, generator=chance)
    noise = torch.randn(ROWS, generator=chance)
    return rows, (rows[:, 0].sin() + rows[:, 1] * rows[:, 2] + 0.1 * noise).unsqueeze(1)


def network(width: int, layers: int) -> nn.Sequential:
    """A multilayer perceptron."""
    sizes = [COLUMNS] + [width] * layers
    hidden = [layer for size, wide in pairwise(sizes) for layer in (nn.Linear(size, wide), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(width, 1))


def seconds_of(epochs: Iterator[object]) -> float:
    """The median of the seconds that an epoch takes, the first left out."""
    taken = []
    next(epochs)
    last = time.perf_counter()
    for _ in epochs:
        now = time.perf_counter()
        taken.append(now - last)
        last = now
    return median(taken)


def repeated(epoch: Callable[[], object]) -> Iterator[object]:
    """The epochs, one after another."""
    return (epoch() for _ in range(EPOCHS))


def firstlight(rows: Tensor, targets: Tensor, width: int, layers: int, *, half: bool = False) -> tuple[float, Answer]:
    """Its own loop, over one member that holds ten rows out; half: in bfloat16."""
    from firstlight.plain.lookup import MembersInHalf
    from firstlight.plain.loop import fit_members
    from firstlight.plain.network import Members
    from firstlight.plain.targets import member_squared_errors

    class Plain(nn.Module):
        width = COLUMNS

        def forward(self, values: Tensor) -> Tensor:
            return values

    made = MembersInHalf if half else Members
    model = made(nn.ModuleDict({"numbers": Plain()}), 1, width, layers, 1)
    learns = torch.ones(1, ROWS)
    learns[:, -10:] = 0
    epochs = fit_members(
        model, {"numbers": rows}, targets.flatten(), learns, member_squared_errors, EPOCHS, BATCH, RATE, 0.01
    )
    return seconds_of(epochs), lambda asked: model({"numbers": asked})[0]


def by_hand(rows: Tensor, targets: Tensor, width: int, layers: int) -> tuple[float, Answer]:
    """A loop over tensors in memory, as short as it can be."""
    model = network(width, layers)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)

    def epoch() -> None:
        for chosen in torch.randperm(ROWS).split(BATCH):
            loss = mse_loss(model(rows[chosen]), targets[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return seconds_of(repeated(epoch)), model


def dataloader(rows: Tensor, targets: Tensor, width: int, layers: int) -> tuple[float, Answer]:
    """The loop of PyTorch's own tutorial."""
    from torch.utils.data import DataLoader, TensorDataset

    model, loader = network(width, layers), DataLoader(TensorDataset(rows, targets), BATCH, shuffle=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE)

    def epoch() -> None:
        for asked, truth in loader:
            loss = mse_loss(model(asked), truth)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()

    return seconds_of(repeated(epoch)), model


def skorch(rows: Tensor, targets: Tensor, width: int, layers: int) -> tuple[float, Answer]:
    """skorch's regressor."""
    from skorch import NeuralNetRegressor

    net = NeuralNetRegressor(
        network(width, layers), max_epochs=1, batch_size=BATCH, lr=RATE, optimizer=torch.optim.AdamW,
        iterator_train__shuffle=True, train_split=None, verbose=0,
    ).initialize()  # fmt: skip
    return seconds_of(repeated(lambda: net.partial_fit(rows, targets))), net.module_


def lightning(rows: Tensor, targets: Tensor, width: int, layers: int) -> tuple[float, Answer]:
    """Lightning's trainer, without logs, checkpoints and bars."""
    import pytorch_lightning as pl
    from torch.utils.data import DataLoader, TensorDataset

    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    model = network(width, layers)
    ends: list[float] = []

    class Module(pl.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            asked, truth = batch
            return mse_loss(self.model(asked), truth)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=RATE)

        def on_train_epoch_end(self) -> None:
            ends.append(time.perf_counter())

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = pl.Trainer(max_epochs=EPOCHS, accelerator="cpu", **quiet)
    trainer.fit(Module(), DataLoader(TensorDataset(rows, targets), BATCH, shuffle=True))
    return median(after - before for before, after in pairwise(ends)), model


def keras(rows: Tensor, targets: Tensor, width: int, layers: int) -> tuple[float, Answer]:
    """Keras on PyTorch."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras as library

    hidden = [library.layers.Dense(width, activation="relu") for _ in range(layers)]
    model = library.Sequential([library.layers.Input((COLUMNS,)), *hidden, library.layers.Dense(1)])
    model.compile(optimizer=library.optimizers.AdamW(RATE), loss="mse")
    cells, numbers = rows.numpy(), targets.numpy()
    seconds = seconds_of(repeated(lambda: model.fit(cells, numbers, batch_size=BATCH, epochs=1, verbose=0)))
    return seconds, lambda asked: torch.as_tensor(model.predict(asked.numpy(), verbose=0))


WAYS: dict[str, Callable[[Tensor, Tensor, int, int], tuple[float, Answer]]] = {
    "firstlight": firstlight,
    "in bfloat16": partial(firstlight, half=True),
    "by hand": by_hand,
    "DataLoader": dataloader,
    "skorch": skorch,
    "Lightning": lightning,
    "Keras": keras,
}


def main() -> None:
    """Trains in the way that the command line names."""
    way, width, layers = sys.argv[1:]
    torch.manual_seed(0)
    rows, targets = table()
    seconds, answer = WAYS[way](rows, targets, int(width), int(layers))
    with torch.no_grad():
        missed = mse_loss(answer(rows[:CHECKED]), targets[:CHECKED]) / targets[:CHECKED].var()
    print(seconds)
    print(1 - missed.item())


if __name__ == "__main__":
    main()
