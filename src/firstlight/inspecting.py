"""A look into a model: its tree, its parameters as born and as they became, and a batch on its way through."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from torch import Tensor, nn

from firstlight.data.frames import FrameLike
from firstlight.data.sources import read
from firstlight.model.answers import ClassAnswers
from firstlight.model.building import network_anew, parameters_of
from firstlight.model.encoding import complete, encode, encode_target
from firstlight.model.predictor import NETWORK, Predictor, as_one
from firstlight.plain.loop import rows_of
from firstlight.plain.targets import member_log_losses, member_squared_errors
from firstlight.refusal import Refused
from firstlight.store.folder import model_path
from firstlight.store.model_file import FILE_NAME, example_rows
from firstlight.store.run import Run
from firstlight.using import load
from firstlight.wording import counted

BINS = 16
MOST_ROWS_SENT = 256


@dataclass(frozen=True)
class Part:
    """One module of the tree. depth: 0 for the model itself. shapes: of its own parameters, "16 × 57 × 128"."""

    depth: int
    name: str
    kind: str
    shapes: tuple[str, ...]
    parameters: int  # of its own, and of what lies below it


@dataclass(frozen=True)
class Spread:
    """Many numbers in short: their mean, their standard deviation, and how many fall into each of equal bins."""

    mean: float
    deviation: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Grown:
    """One parameter: as it was born, random (None where a formula found it), and as it became.

    moved:    how far it went from its birth, as a share of its own size; None where it was born as nothing but 0.
    gradient: the mean size of its gradient on the batch; None for the line.
    """

    name: str
    shape: str
    low: float  # where the bins of both begin, and end
    high: float
    born: Spread | None
    became: Spread
    moved: float | None
    gradient: float | None


@dataclass(frozen=True)
class Activation:
    """What a layer gave for the batch. silent: the share of its numbers not above 0, which ReLU drops."""

    layer: str
    shape: str
    mean: float
    deviation: float
    silent: float


@dataclass(frozen=True)
class Inspection:
    """A look into a model.

    kept:  which of network and line is the model; both are shown.
    batch: in words, which rows were sent through the network, and what their loss was held against.
    """

    kept: str
    network: tuple[Part, ...]
    line: tuple[Part, ...]
    parameters: tuple[Grown, ...]
    batch: str
    loss: float
    activations: tuple[Activation, ...]


def inspect(
    model: Run | str | Path, source: str | Path | FrameLike | None = None, *, sheet: str | None = None
) -> Inspection:
    """A model's modules with shapes and counts, each parameter as it was born and as it became, and a batch's way.

    source: rows for the batch, with the target for a true loss; else the example rows that the model file carries.
    """
    run = model if isinstance(model, Run) else load(model)
    predictor = run.predictor
    rows, told = _batch(run if isinstance(model, Run) else model_path(Path(model)), predictor, source, sheet)
    network = copy.deepcopy(predictor.network)
    newborn = network_anew(network, predictor.plan, predictor.encoders)
    activations, loss, against = _sent_through(network, predictor, rows)
    grown = [
        _grown(f"network.{name}", was, now)
        for (name, now), (_, was) in zip(
            as_one(network).named_parameters(), as_one(newborn).named_parameters(), strict=True
        )
    ]
    found = [_grown(f"line.{name}", None, weight) for name, weight in predictor.line.named_parameters()]
    return Inspection(
        kept=predictor.kept, network=_tree(as_one(predictor.network)), line=_tree(predictor.line),
        parameters=(*grown, *found), batch=f"{told}; loss {against}", loss=loss, activations=activations,
    )  # fmt: skip


def _batch(
    place: Run | Path, predictor: Predictor, source: str | Path | FrameLike | None, sheet: str | None
) -> tuple[pl.DataFrame, str]:
    """The rows to send through the network, and in words which they are."""
    if source is not None:
        table = read(source, sheet=sheet)
        rows = complete(table.frame.head(MOST_ROWS_SENT), predictor.plan)[0]
        return rows, f"the first {counted(len(rows), 'row')} of {Path(table.reading.location).name}"
    path = place if isinstance(place, Path) else place.folder and place.folder / FILE_NAME
    if not path:
        raise Refused("this model was never saved, so it carries no example rows; name a table to send through it.")
    rows = example_rows(path)
    return rows, f"the {counted(len(rows), 'example row')} in the file"


def _sent_through(
    network: nn.ModuleDict, predictor: Predictor, rows: pl.DataFrame
) -> tuple[tuple[Activation, ...], float, str]:
    """Sends a batch through the network, and its loss back: the activations, the loss, and what it was held against.

    Afterwards each parameter of `network` has its gradient.
    """
    inputs = encode(rows, predictor.plan, predictor.encoders)
    answers = predictor.answers(rows, (NETWORK,))[NETWORK]
    classes = isinstance(answers, ClassAnswers)
    targets = answers.probabilities.argmax(dim=1) if isinstance(answers, ClassAnswers) else answers.predictions
    against = "against its own answers"
    if predictor.plan.target.column in rows.columns:
        truth = encode_target(rows[predictor.plan.target.column], predictor.plan, predictor.encoders)
        known = truth >= 0 if classes else truth.isfinite()
        if known.any():
            targets, against = truth[known], "against the true answers"
            inputs = rows_of(inputs, torch.nonzero(known).flatten())
    given: list[tuple[str, Tensor]] = []
    layers = [(name, layer) for name, layer in as_one(network).named_modules() if name and not any(layer.children())]
    layers = [(name, layer) for name, layer in layers if any(True for _ in layer.parameters())]
    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: given.append((name, output.detach())))
        for name, layer in layers
    ]
    outputs = [part.eval()(inputs) for part in network.values()]
    for hook in hooks:
        hook.remove()
    scaled = targets if classes else ((targets - predictor.unit.mean) / predictor.unit.deviation).float()
    losses_of = member_log_losses if classes else member_squared_errors
    loss = torch.stack([losses_of(each, scaled).mean() for each in outputs]).mean()
    loss.backward()
    found = tuple(
        Activation(name, _shape(output), output.mean().item(), _deviation(output), (output <= 0).double().mean().item())
        for name, output in given
    )
    return found, loss.item(), against


def _tree(model: nn.Module) -> tuple[Part, ...]:
    return tuple(
        Part(
            depth=name.count(".") + 1 if name else 0,
            name=name.rpartition(".")[2],
            kind=type(module).__name__,
            shapes=tuple(f"{own} {_shape(value)}" for own, value in module.named_parameters(recurse=False)),
            parameters=parameters_of(module),
        )
        for name, module in model.named_modules()
    )


def _grown(name: str, was: Tensor | None, now: Tensor) -> Grown:
    both = torch.cat([part.detach().flatten().double() for part in (was, now) if part is not None])
    low, high = both.min().item(), both.max().item()
    moved = None if was is None or not was.any() else ((now - was).norm() / was.norm()).item()
    gradient = None if now.grad is None else now.grad.abs().mean().item()
    born = None if was is None else _spread(was, low, high)
    return Grown(name, _shape(now), low, high, born, _spread(now, low, high), moved, gradient)


def _spread(values: Tensor, low: float, high: float) -> Spread:
    values = values.detach().double()
    counts = torch.histc(values, BINS, low, high) if high > low else torch.zeros(BINS)
    return Spread(values.mean().item(), _deviation(values), tuple(int(count) for count in counts))


def _deviation(values: Tensor) -> float:
    return values.detach().double().std(correction=0).item()


def _shape(values: Tensor) -> str:
    return " × ".join(map(str, values.shape))
