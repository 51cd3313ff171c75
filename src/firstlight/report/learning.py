"""Chapters 2 and 3, build and fit: what the models are made of, how the loss fell, how the parameters moved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from firstlight.evaluate.wording import significant, thousandths
from firstlight.model.building import network_anew, parameters_of, parts_of
from firstlight.model.predictor import CONSTANT, LINE, NETWORK, Predictor, as_one
from firstlight.report import charts
from firstlight.report.page import Block, Chapter, Folded, Grid
from firstlight.report.story import Story
from firstlight.report.wording import counted, number, spaced

# What a module does, for people. One that is not named here is told by the first line of its docstring.
WHAT_IT_DOES = {
    "PiecewiseLinear": "how far each number has come through bins of about equally many rows; marks gaps",
    "Waves": "the same, and waves that rise and fall along the numbers: equal ones have the same, others hardly ever",
    "Scaled": "each number with a mean of 0 and a spread of 1; marks gaps",
    "OneHot": "a 1 at the cell's word, a 0 at all others",
    "MemberLinear": "weighted sums; each member has weights of its own",
    "Linear": "weighted sums",
    "Conv1d": "the same weighted sums at each place of a sequence",
    "Conv2d": "the same weighted sums at each place of a picture",
    "BatchNorm1d": "each channel with a mean of 0 and a spread of 1, then as wide as was learned",
    "BatchNorm2d": "each channel with a mean of 0 and a spread of 1, then as wide as was learned",
    "Bins": "the number of the bin that each cell falls into, 0 for a gap",
    "Forest": "in each tree the leaf that the row's bins lead to; the sum of what stands in these leaves",
    "Neighbours": "the mean of what is known of similar rows, the nearer the more",
    "LayerNorm": "each row with a mean of 0 and a spread of 1, then as wide as was learned",
    "Dropout": "while it learns, sets some numbers to 0 by chance, so that it relies on none alone",
    "Embedding": "a row of numbers for each word",
    "EmbeddingBag": "the sum of a row of numbers for each word",
}


PARAMETERS = "Parameters are the numbers that fitting may change: weights and biases."
BENDS = (
    "From top to bottom: columns become features, features become sums. Between the layers negative sums are set to 0, "
    "or nearly: that is the bend."
)


def build_chapter(story: Story) -> Chapter:
    """The constant guess, the straight line and the network: what each consists of."""
    predictor = story.run.predictor
    lead = f"Three ways to answer, from simple to rich. {_network_told(story)}"
    each = "each class" if story.classes else "the answer"
    models = (
        (CONSTANT, f"always the same answer: {_constant(story)}", "0"),
        (LINE, f"a weighted sum of the features for {each}", number(parameters_of(predictor.line))),
        (NETWORK, "sums, bends, and sums again: it can follow curves", number(parameters_of(predictor.network))),
    )
    blocks: tuple[Block, ...] = (
        Grid("Which models are built?", ("model", "what it does", "parameters"), models, PARAMETERS),
        _modules("How does a row pass through the network?", story, as_one(predictor.network), BENDS),
        Folded("How a row passes through the straight line", (_modules("", story, predictor.line, ""),)),
        *_sizes_of_parts(story),
    )
    return Chapter("2 Build", lead, blocks)


def _network_told(story: Story) -> str:
    sizes, parts = story.plan.network, parts_of(story.plan, story.run.predictor.encoders)
    told = []
    if len(parts) > 1:
        names = ", ".join(f"one over {part.told}" for part in parts)
        told.append(
            f"The network has {number(len(parts))} parts that answer for themselves, {names}; how much each is "
            "believed is learned from training rows that it has not seen."
        )
    if sizes:
        hidden = f"{counted(sizes.layers, 'layer')} of {number(sizes.width)}"
        what = "The network" if len(parts) == 1 else "The part over the columns"
        told.append(
            f"{what} is {number(sizes.members)} small networks side by side, its members, each with {hidden}; they "
            "start from different random weights, and their answers are averaged."
        )
    return " ".join(told)


def _constant(story: Story) -> str:
    if not story.classes:
        return f"the mean of the training rows, {number(story.run.predictor.unit.mean)}"
    most = int(story.run.predictor.constant.argmax().item())
    return f"the commonest class, {story.labels[most]}"


def _modules(question: str, story: Story, model: nn.Module, caption: str) -> Grid:
    columns = {kind.block: len(story.plan.of_kind(kind)) for kind in story.plan.kinds}
    rows = []
    for name, module in _passed(model):
        size = _size(module, columns.get(name.rpartition(".")[2]))
        rows.append((name, type(module).__name__, _does(module), size, number(_own_parameters(module))))
    return Grid(question, ("module", "class", "what it does", "in → out", "parameters"), tuple(rows), caption)


def _passed(model: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules that hold numbers of their own, or no other module, in the order in which a row meets them."""
    for child_name, child in model.named_children():
        yield from _passed(child, f"{name}.{child_name}".removeprefix("."))
    own = any(True for _ in model.parameters(recurse=False)) or any(True for _ in model.buffers(recurse=False))
    if name and (own or not any(model.children())):
        yield name, model


def _own_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters(recurse=False))


def _does(module: nn.Module) -> str:
    documented = (type(module).__doc__ or "").strip().partition("\n")[0]
    return WHAT_IT_DOES.get(type(module).__name__, documented)


def _size(module: nn.Module, columns: int | None) -> str:
    """How many columns or numbers go in, and how many numbers come out."""
    if isinstance(module, nn.Linear):
        return f"{number(module.in_features)} → {number(module.out_features)}"
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return f"{counted(module.in_channels, 'channel')} → {number(module.out_channels)}"
    weight, width = getattr(module, "weight", None), getattr(module, "width", None)
    if isinstance(weight, Tensor) and weight.ndim == 3:
        members, inputs, outputs = weight.shape
        return f"{number(members)}\u00a0× ({number(inputs)}\u00a0→\u00a0{number(outputs)})"
    return f"{counted(columns, 'column')} → {number(width)}" if columns and isinstance(width, int) else ""


def _sizes_of_parts(story: Story) -> list[Folded]:
    """The decisions of each part of the network."""
    plan = story.plan
    cells = [Folded("Why these sizes", (_sizes(story, "network", plan.network),))] if plan.network else []
    return cells + [
        Folded(f"The sizes of the part over {part.told}", (_sizes(story, part.name, plan.parts[part.name]),))
        for part in plan.other_parts
    ]


def _sizes(story: Story, part: str, settings: BaseModel) -> Grid:
    """The decisions of one part of the plan, with their reasons."""
    values = settings.model_dump(exclude_none=True)
    reasons = {name: story.plan.reasons.get(f"{part}.{name}", "") for name in values}
    rows = tuple((name, _decided(value), reasons[name]) for name, value in values.items())
    caption = "plan.toml holds them all; edit it and give it back to the next fit."
    return Grid("", ("setting", "value", "because"), rows, caption)


def _decided(value: bool | float | str | tuple[float, ...]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(number, value)) or "none" if isinstance(value, tuple) else number(value)


def fit_chapter(story: Story) -> Chapter:
    """How the network learned, and which model was kept."""
    history, fitting, network = story.run.history, story.plan.fitting, story.plan.network
    predictor = story.run.predictor
    steps = f", {number(network.batch)} rows a step" if network else ""
    way = f"Gradient descent on the network{steps}, {_epochs(len(history))}"
    if len(predictor.network) > 1:
        way = f"Each part of the network goes downhill in its own way, together {_epochs(len(history))}"
    lead = (
        f"{way}. Each member "
        f"learns from {fitting.folds - 1} of {fitting.folds} parts of the training rows and is judged on the part it "
        "holds out. The straight line is computed at once, without steps."
    )
    blocks: list[Block] = []
    for part in predictor.network:
        told = [epoch for epoch in history if epoch.part == part]
        if len(told) > 1 or (told and len(predictor.network) == 1):
            held_out = [epoch.held_out_loss for epoch in told]
            best = min(range(len(told)), key=lambda place: _or_infinite(held_out[place])) + 1
            loss = "log loss" if story.classes else "squared error"
            training = [epoch.training_loss for epoch in told]
            named = "it" if len(predictor.network) == 1 else f"the part {part}"
            blocks.append(charts.learning_curves(training, held_out, best, loss, named))
    settings = Folded("Why these settings", (_sizes(story, "fitting", fitting),))
    blocks += [*_parameters(predictor), *_weights(story), _kept(story), settings]
    return Chapter("3 Fit", lead, tuple(blocks))


def _or_infinite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _epochs(many: int) -> str:
    return "one epoch (pass over the rows)" if many == 1 else f"{number(many)} epochs (passes over the rows)"


def _parameters(predictor: Predictor) -> tuple[Block, ...]:
    with torch.random.fork_rng(devices=[]):
        born = network_anew(predictor.network, predictor.plan, predictor.encoders)
    before, after = (dict(as_one(network).named_parameters()) for network in (born, predictor.network))
    changes = [
        charts.Change(name, tuple(value.shape), value.detach().numpy(), after[name].detach().numpy())
        for name, value in before.items()
    ]
    together = [parameters_to_vector(network.parameters()).detach().numpy() for network in (born, predictor.network)]
    table = charts.parameter_table(changes)
    return charts.weights("the network's parameters", *together), Folded(table.question, (replace(table, question=""),))


def _weights(story: Story) -> list[Grid]:
    """How much each part of the network is believed, where there are several."""
    predictor = story.run.predictor
    if len(predictor.network) == 1:
        return []
    parts = parts_of(story.plan, predictor.encoders)
    rows = tuple(
        (part.name, part.told, number(round(weight, 2)))
        for part, weight in zip(parts, predictor.weights.tolist(), strict=True)
    )
    caption = "Learned from training rows by members that had not seen them; a part of weight 0 has no say."
    return [Grid("How much is each part believed?", ("part", "what it reads", "weight"), rows, caption)]


def _kept(story: Story) -> Grid:
    """Which of line and network is the model: the choice is made on training rows, by the one that errs less."""
    predictor = story.run.predictor
    names = (NETWORK, LINE)
    losses = [predictor.held_out_losses[name] for name in names]
    texts = map(thousandths, losses) if story.classes else (significant(math.sqrt(loss)) for loss in losses)
    return Grid(
        "Which of the two is kept?",
        ("model", "log loss" if story.classes else "off by (RMSE)"),
        tuple(zip(names, map(spaced, texts), strict=True)),
        f"The {predictor.kept}: it errs less (lower is better) on training rows that neither had learned from. "
        "The test rows have no say in this.",
        marked=names.index(predictor.kept),
    )
