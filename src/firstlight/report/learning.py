"""Chapters 2 and 3, build and fit: what the models are made of, how the loss fell, how the parameters moved."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from firstlight.evaluate.wording import significant, thousandths
from firstlight.model.building import network_over, outputs_for, parameters_of
from firstlight.model.predictor import LINE, NETWORK, Predictor
from firstlight.report import charts
from firstlight.report.page import Block, Chapter, Folded, Grid, Prose
from firstlight.report.story import Story
from firstlight.report.wording import counted, number, spaced

# What a module does, for people. One that is not named here is told by the first line of its docstring.
WHAT_IT_DOES = {
    "PiecewiseLinear": "places each number on a ruler of bins that hold about equally many rows; marks gaps",
    "Scaled": "moves and stretches each number so that its mean is 0 and its spread 1; marks gaps",
    "OneHot": "sets a 1 in the place of the cell's word and a 0 in all others",
    "MemberLinear": "weighted sums of all that comes in, with weights of its own for each member",
    "Linear": "weighted sums of all that comes in",
    "Dropout": "hides numbers by chance while fitting, so that none is relied upon too much",
}


def build_chapter(story: Story) -> Chapter:
    """The constant guess, the straight line and the network: what each consists of."""
    predictor, sizes = story.run.predictor, story.plan.network
    hidden = f"{counted(sizes.layers, 'layer')} of {number(sizes.width)}"
    lead = (
        f"Three ways to answer, from simple to rich. The network is {number(sizes.members)} small networks side by side, "
        f"its members, each with {hidden}; they start from different random weights, and their answers are averaged."
    )
    models = (
        ("constant", f"always the same answer: {_constant(story)}", "0"),
        ("straight line", "one weighted sum of all features for each answer", number(parameters_of(predictor.line))),
        ("network", "sums, bends (ReLU), sums again: it can follow curves", number(parameters_of(predictor.network))),
    )
    blocks = (
        Grid("What answers?", ("model", "what it does", "parameters"), models, ""),
        _modules("How does a row pass through the network?", predictor.network, "parameters are"),
        Folded("The same of the straight line", (_modules("", predictor.line, "weights and biases are"),)),
        Folded("Why these sizes?", (_sizes(story, "network"),)),
    )
    return Chapter("2 Build", lead, blocks)


def _constant(story: Story) -> str:
    if not story.classes:
        return f"the mean of the training rows, {number(story.run.predictor.unit.mean)}"
    most = int(story.run.predictor.constant.argmax().item())
    return f"the commonest class, {story.labels[most]}"


def _modules(question: str, model: nn.Module, what: str) -> Grid:
    rows = tuple(
        (name, type(module).__name__, _does(module), _size(module), number(parameters_of(module)))
        for name, module in _leaves(model)
    )
    caption = f"Top to bottom: the columns become features, then sums. The {what} what fitting may change."
    return Grid(question, ("module", "class", "what it does", "in → out", "parameters"), rows, caption)


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that have no modules in them, by name, in the order in which a row meets them."""
    return ((name, module) for name, module in model.named_modules() if name and not any(module.children()))


def _does(module: nn.Module) -> str:
    documented = (type(module).__doc__ or "").strip().partition("\n")[0]
    return WHAT_IT_DOES.get(type(module).__name__, documented)


def _size(module: nn.Module) -> str:
    """How many numbers a row goes in with and comes out with; what each feature gives, where only that is known."""
    match module:
        case nn.Linear():
            return f"{number(module.in_features)} → {number(module.out_features)}"
        case nn.Dropout():
            return f"p = {module.p:g}"
    weight, width = getattr(module, "weight", None), getattr(module, "width", None)
    if isinstance(weight, Tensor) and weight.ndim == 3:
        members, inputs, outputs = weight.shape
        return f"{number(members)} × ({number(inputs)} → {number(outputs)})"
    return f"→ {number(width)}" if isinstance(width, int) else ""


def _sizes(story: Story, part: str) -> Grid:
    """The decisions of one part of the plan, with their reasons."""
    values = getattr(story.plan, part).model_dump()
    rows = tuple(
        (name, spaced(f"{value:g}"), story.plan.reasons.get(f"{part}.{name}", "")) for name, value in values.items()
    )
    return Grid("", ("setting", "value", "because"), rows, "plan.toml holds them all; edit it and fit again with --plan.")


def fit_chapter(story: Story) -> Chapter:
    """How the network learned, and which model was kept."""
    history, fitting = story.run.history, story.plan.fitting
    predictor = story.run.predictor
    lead = (
        f"Gradient descent on the network, {number(fitting.batch)} rows a step, {_epochs(len(history))}. Each member learns "
        f"from {fitting.folds - 1} of {fitting.folds} parts of the training rows and is judged on the part it holds out. "
        "The straight line is computed at once, without steps."
    )
    blocks: list[Block] = []
    if history:
        held_out = [epoch.held_out_loss for epoch in history]
        best = min(range(len(history)), key=lambda place: _or_infinite(held_out[place])) + 1
        loss = "log loss" if story.classes else "squared error"
        blocks.append(charts.learning_curves([epoch.training_loss for epoch in history], held_out, best, loss))
    blocks += [*_parameters(predictor), _kept(story), Folded("Why so many, and so fast?", (_sizes(story, "fitting"),))]
    return Chapter("3 Fit", lead, tuple(blocks))


def _or_infinite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _epochs(many: int) -> str:
    return "one epoch (pass over the rows)" if many == 1 else f"{number(many)} epochs (passes over the rows)"


def _parameters(predictor: Predictor) -> tuple[Block, ...]:
    with torch.random.fork_rng(devices=[]):
        born = network_over(predictor.network.features, predictor.plan, outputs_for(predictor.encoders))
    before = {name: value.detach().numpy() for name, value in born.named_parameters()}
    after = {name: value.detach().numpy() for name, value in predictor.network.named_parameters()}
    if not before:
        return ()
    changes = [charts.Change(name, before[name].shape, before[name], after[name]) for name in before]
    together = [torch.cat([torch.from_numpy(values).flatten() for values in of.values()]).numpy() for of in (before, after)]
    table = charts.parameter_table(changes)
    return charts.weights("the network's parameters", *together), Folded(table.question, (table,))


def _kept(story: Story) -> Grid:
    """Which of line and network is the model: the choice is made on training rows, by the one that errs less."""
    predictor = story.run.predictor
    losses = predictor.held_out_losses
    names = (NETWORK, LINE)
    rows = tuple(
        (name, thousandths(losses[name]) if story.classes else significant(math.sqrt(losses[name]))) for name in names
    )
    measure = "log loss" if story.classes else "off by (RMSE)"
    return Grid(
        "Which of the two is kept?",
        ("model", f"{measure}, on training rows it had not learned from"),
        tuple((name, spaced(loss)) for name, loss in rows),
        f"The {predictor.kept}, because it errs less on them (lower is better). The test rows have no say in this.",
        marked=names.index(predictor.kept),
    )
