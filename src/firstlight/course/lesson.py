"""The straight line as a lesson: everything that its tellers show, computed once, as plain numbers.

In: the settings and a folder. Out: a `Lesson`; in the folder the two saved models. The terminal and the page
read the same lesson, so what one prints the other draws.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from firstlight.course import line
from firstlight.course.settings import Settings
from firstlight.files import write_whole

_SURFACE_SIDE = 161  # places along each side of the loss surface at which it is computed


@dataclass(frozen=True)
class Parameters:
    """The two numbers of a line, or the gradient with respect to them."""

    weight: float
    bias: float


@dataclass(frozen=True)
class Points:
    """Points of the plane, in order of x."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class SlowStep:
    """One step of gradient descent, with all its numbers; one train row stands for all of them."""

    x: float
    answer: float
    prediction: float
    loss: float  # of all train rows, before the step
    gradient: Parameters  # by how much the loss grows for each unit of a parameter
    before: Parameters
    after: Parameters
    loss_after: float


@dataclass(frozen=True)
class Epoch:
    """One step of gradient descent, as the course logs it."""

    number: int  # from 0
    train_loss: float  # before the step
    test_loss: float  # after the step
    parameters: Parameters  # after the step


@dataclass(frozen=True)
class Swing:
    """The end of gradient descent with steps of constant length: for ever to and fro between two lines."""

    since: int  # the first of the updates after which the parameters are one of the two
    kept: Parameters  # after the last update
    kept_test_loss: float
    other: Parameters  # after the update before it
    other_test_loss: float


@dataclass(frozen=True)
class Baseline:
    """A way to predict without gradient descent."""

    parameters: Parameters
    test_loss: float


@dataclass(frozen=True)
class Learned:
    """The story of one model, from its birth to its reloaded copy."""

    module: str  # the name of its class
    source: str  # the class, as it stands in the script
    names: tuple[str, ...]  # the keys of its state_dict
    born: Parameters
    born_predictions: Points  # on the test rows, as everything below
    born_loss: float
    slow_step: SlowStep
    epochs: tuple[Epoch, ...]
    final: Parameters
    predictions: Points
    test_loss: float
    largest_error: float
    swing: Swing | None  # None where the parameters still move
    file: Path
    newborn: Parameters  # of the new instance, before the file is loaded into it
    reloaded: Parameters  # and after
    equal_predictions: int  # test rows for which the reloaded model says exactly the same


@dataclass(frozen=True)
class Contour:
    """The lines whose train loss is at most `loss`: for each weight, the biases from low to high."""

    loss: float
    weights: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Surface:
    """The train loss of every line in a window, as nested contours, the outermost first."""

    weights: tuple[float, float]  # from, to
    biases: tuple[float, float]
    contours: tuple[Contour, ...]  # the outermost holds the whole window


@dataclass(frozen=True)
class Lesson:
    """All of it."""

    settings: Settings
    train: Points
    test: Points
    by_hand: Learned
    by_layer: Learned
    constant: Baseline  # the mean of the train answers, whatever x
    least_squares: Baseline  # the line found by algebra, in one go
    truth: Baseline  # the line that made the data: what noise alone costs
    surface: Surface
    ten_lines: str  # the loop, as it stands in the script
    script: str  # the whole lesson as plain PyTorch


def teach(settings: Settings, folder: Path) -> Lesson:
    """Walk the six steps for both models. The caller's random numbers are left as they were."""
    x, y = line.points(settings.weight, settings.bias, settings.noise, settings.rows, settings.seed)
    (x_train, x_test), (y_train, y_test) = line.split(x), line.split(y)
    with torch.random.fork_rng(devices=[]):
        by_hand = _learned(line.HandWrittenLine, x, y, settings, folder / "line.safetensors")
        by_layer = _learned(line.LinearLayerLine, x, y, settings, folder / "linear.safetensors")
    truth = Parameters(settings.weight, settings.bias)
    constant = Parameters(0.0, y_train.mean().item())
    least_squares = _least_squares(x_train, y_train)
    paths = [by_hand.born, by_layer.born, *(epoch.parameters for epoch in by_hand.epochs + by_layer.epochs)]
    return Lesson(
        settings=settings,
        train=_points(x_train, y_train),
        test=_points(x_test, y_test),
        by_hand=by_hand,
        by_layer=by_layer,
        constant=Baseline(constant, _loss(constant, x_test, y_test)),
        least_squares=Baseline(least_squares, _loss(least_squares, x_test, y_test)),
        truth=Baseline(truth, _loss(truth, x_test, y_test)),
        surface=_surface([truth, *paths], x_train, y_train),
        ten_lines=_ten_lines(),
        script=script(settings),
    )


def script(settings: Settings) -> str:
    """The lesson as one file of plain PyTorch: this package's own, with a call of its `main` below."""
    return f"""{inspect.getsource(line)}

if __name__ == "__main__":
    main(
        weight={settings.weight!r},
        bias={settings.bias!r},
        noise={settings.noise!r},
        rows={settings.rows},
        steps={settings.epochs},
        rate={settings.rate!r},
        seed={settings.seed},
    )
"""


def _learned(make: type[nn.Module], x: Tensor, y: Tensor, settings: Settings, file: Path) -> Learned:
    (_, x_test), (_, y_test) = line.split(x), line.split(y)
    torch.manual_seed(settings.seed)
    model = make()
    born, born_predictions = _parameters(model), _predict(model, x_test)
    slow_step = _slow_step(model, x, y, settings.rate)
    torch.manual_seed(settings.seed)
    model = make()  # born again with the same numbers: the slow step has moved the first
    epochs = tuple(
        Epoch(number, train_loss, test_loss, _parameters(model))
        for number, (train_loss, test_loss) in enumerate(line.epochs(model, x, y, settings.epochs, settings.rate))
    )
    predictions = _predict(model, x_test)
    write_whole(file, save(model.state_dict()))
    copy = make()
    newborn = _parameters(copy)
    copy.load_state_dict(load_file(file))
    return Learned(
        module=make.__name__,
        source=inspect.getsource(make),
        names=tuple(model.state_dict()),
        born=born,
        born_predictions=_points(x_test, born_predictions),
        born_loss=line.loss_of(born_predictions, y_test).item(),
        slow_step=slow_step,
        epochs=epochs,
        final=_parameters(model),
        predictions=_points(x_test, predictions),
        test_loss=line.loss_of(predictions, y_test).item(),
        largest_error=(predictions - y_test).abs().max().item(),
        swing=_swing(born, epochs),
        file=file,
        newborn=newborn,
        reloaded=_parameters(copy),
        equal_predictions=int((_predict(copy, x_test) == predictions).sum()),
    )


def _slow_step(model: nn.Module, x: Tensor, y: Tensor, rate: float) -> SlowStep:
    """Moves the model by one step. The row shown is the middle one of the train rows."""
    (x_train, _), (y_train, _) = line.split(x), line.split(y)
    middle = len(x_train) // 2
    before, prediction = _parameters(model), _predict(model, x_train)[middle].item()
    loss, _ = next(line.epochs(model, x, y, 1, rate))
    weight_gradient, bias_gradient = (_gradient(parameter) for parameter in model.parameters())
    return SlowStep(
        x=x_train[middle].item(),
        answer=y_train[middle].item(),
        prediction=prediction,
        loss=loss,
        gradient=Parameters(weight_gradient, bias_gradient),
        before=before,
        after=_parameters(model),
        loss_after=line.loss_of(_predict(model, x_train), y_train).item(),
    )


def _gradient(parameter: nn.Parameter) -> float:
    if parameter.grad is None:
        raise ValueError("no gradient: the model has made no step yet")
    return parameter.grad.item()


def _predict(model: nn.Module, x: Tensor) -> Tensor:
    """Predictions (rows, 1), without gradients."""
    model.eval()
    with torch.inference_mode():
        predictions: Tensor = model(x)
    return predictions


def _swing(born: Parameters, epochs: Sequence[Epoch]) -> Swing | None:
    """The two-cycle in which the parameters end, found from the last update backwards."""
    path = [born, *(epoch.parameters for epoch in epochs)]
    since = len(path)
    while since > 2 and path[since - 1] == path[since - 3] != path[since - 2]:
        since -= 1
    if since == len(path):
        return None
    return Swing(
        since=since - 2,
        kept=path[-1],
        kept_test_loss=epochs[-1].test_loss,
        other=path[-2],
        other_test_loss=epochs[-2].test_loss,
    )


def _least_squares(x: Tensor, y: Tensor) -> Parameters:
    """By the standard library, which gives the same bits every time: LAPACK's last ones depend on where in
    memory its numbers happen to lie."""
    return Parameters(*linear_regression(x.flatten().tolist(), y.flatten().tolist()))


def _loss(of: Parameters, x: Tensor, y: Tensor) -> float:
    return line.loss_of(of.weight * x + of.bias, y).item()


def _surface(shown: Sequence[Parameters], x: Tensor, y: Tensor) -> Surface:
    """A window around everything shown, its contours at losses that are 1, 2 or 5 times a power of ten."""
    weights = _window([parameters.weight for parameters in shown])
    biases = _window([parameters.bias for parameters in shown])
    columns, rows = torch.linspace(*weights, _SURFACE_SIDE), torch.linspace(*biases, _SURFACE_SIDE)
    # (weights, biases): one weight at a time, lest many points fill the memory
    losses = torch.stack([(weight * x + rows - y).abs().mean(dim=0) for weight in columns])
    levels = _levels(losses.min().item(), losses.max().item())
    return Surface(weights, biases, tuple(_contour(level, columns, rows, losses) for level in levels))


def _window(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the greatest, with a margin on both sides."""
    margin = max(max(values) - min(values), 0.01) * 0.12
    return min(values) - margin, max(values) + margin


def _levels(lowest: float, highest: float) -> list[float]:
    """The outermost first: at most six levels, of which the first is above everything."""
    power = math.ceil(math.log10(highest)) if highest > 0 else 0
    steps = [factor * 10.0 ** (power - down) for down in range(3) for factor in (10, 5, 2)]
    above = [level for level in steps if level >= highest]
    between = [level for level in steps if lowest < level < highest]
    return [min(above), *between[:5]]


def _contour(level: float, columns: Tensor, rows: Tensor, losses: Tensor) -> Contour:
    """L1 loss is convex, so that at each weight the biases within a level are one interval."""
    some = (losses <= level).any(dim=1)
    intervals = [_interval(level, rows.tolist(), of_weight) for of_weight in losses[some].tolist()]
    low, high = zip(*intervals, strict=True)
    return Contour(level, tuple(columns[some].tolist()), low, high)


def _interval(level: float, rows: list[float], losses: list[float]) -> tuple[float, float]:
    """The first and the last bias within the level, of which at least one row is."""
    within = [row for row, loss in enumerate(losses) if loss <= level]
    first, last = within[0], within[-1]
    return _edge(level, rows, losses, first, first - 1), _edge(level, rows, losses, last, last + 1)


def _edge(level: float, rows: list[float], losses: list[float], inside: int, outside: int) -> float:
    """Where the loss reaches the level, between two neighbours; the last row where the window ends there."""
    if not 0 <= outside < len(rows):
        return rows[inside]
    share = (level - losses[inside]) / (losses[outside] - losses[inside])
    return rows[inside] + share * (rows[outside] - rows[inside])


def _ten_lines() -> str:
    """The loop, from its optimiser to its test loss, without indentation."""
    source = inspect.getsource(line.epochs)
    return inspect.cleandoc("\n" + source[source.index("    optimiser = ") : source.index("        yield")])


def _parameters(model: nn.Module) -> Parameters:
    return Parameters(*line.line_of(model))


def _points(x: Tensor, y: Tensor) -> Points:
    return Points(tuple(x.flatten().tolist()), tuple(y.flatten().tolist()))
