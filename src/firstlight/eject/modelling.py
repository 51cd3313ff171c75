"""The lines of a script that build, fit and ask the kept model: steps 2, 3 and half of 4."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from firstlight.kinds.kind import SCRIPT_WIDTH
from firstlight.model.building import members_of, outputs_for
from firstlight.model.encoding import Encoders
from firstlight.model.fitting import dealt_by_class
from firstlight.model.predictor import Predictor
from firstlight.plan.plan import COLUMNS, Plan

INDENT = 8  # of what stands in main, and in the dict of the fits


def mapping(before: str, items: Sequence[str], after: str) -> list[str]:
    """A dict on one line where it fits, else an item a line; an item may have several lines of its own."""
    line = f"{before}{{{', '.join(items)}}}{after}"
    if len(line) <= SCRIPT_WIDTH and "\n" not in line:
        return [line]
    return [f"{before}{{", *(line for item in items for line in indent(f"{item},", "    ").splitlines()), f"}}{after}"]


def build_network(predictor: Predictor) -> list[str]:
    """The parts of the network; one that stands alone is the model itself."""
    plan = predictor.plan
    made = _parts_built(plan, predictor.encoders)
    alone = len(made) == 1
    told = "several small networks side by side" if COLUMNS in made and alone else "what reads the rows"
    if not alone:
        told = "parts that each answer in their own way"
    lines = [f"# 2 Build: {told}; the parameters are random until step 3"]
    if plan.network:
        bins = plan.network.bins
        features = [
            f'"{kind.block}": {kind.snippets.network_features(bins)}'
            for kind in plan.cell_kinds
            if kind.snippets.network_features
        ]
        lines += mapping("features = nn.ModuleDict(", features, ")")
    for name, expression in made.items():
        built = f"{'model' if alone else name} = {expression}"
        lines += [f"torch.manual_seed({plan.fitting.seed})", *built.splitlines()]
    return lines if alone else lines + mapping("model = nn.ModuleDict(", [f'"{name}": {name}' for name in made], ")")


def _parts_built(plan: Plan, encoders: Encoders) -> dict[str, str]:
    """The expression that makes each part of the network."""
    outputs = outputs_for(encoders)
    made = {}
    if sizes := plan.network:
        told = f"{sizes.members}, width={sizes.width}, layers={sizes.layers}, outputs={outputs}"
        made[COLUMNS] = f"{members_of(sizes).__name__}(features, {told})"
    made |= {
        part.name: part.snippets.build(plan.cell_blocks, plan.parts[part.name], outputs) for part in plan.cell_parts
    }
    return made | {part.name: part.snippets.build(plan.parts[part.name], outputs) for _, part in plan.kind_parts}


def build_line(predictor: Predictor) -> list[str]:
    """The straight line."""
    features = [f'"{kind.block}": {kind.snippets.line_features}' for kind in predictor.plan.kinds]
    return [
        "# 2 Build: a weighted sum of the features; its weights are random until step 3",
        *mapping("features = nn.ModuleDict(", features, ")"),
        f"model = Line(features, outputs={outputs_for(predictor.encoders)})",
    ]


def fit_network(plan: Plan, *, calibrated: bool) -> list[str]:
    """Gradient descent on each part, and how much each is to be believed."""
    classes = plan.target.task == "classification"
    strata = "targets[train]" if dealt_by_class(plan) else "torch.zeros_like(train)"
    folds, seed = plan.fitting.folds, plan.fitting.seed
    lines = [
        "# 3 Fit: forward, loss, backward, step; each member holds out one fold of the training rows",
        f"folds = folds_of({strata}, kin[train].unique(return_inverse=True)[1], {folds}, seed={seed})",
    ]
    if not classes:
        lines += [
            "mean, deviation = targets[train].mean().item(), targets[train].std(correction=0).item() or 1.0",
            "unit_targets = ((targets[train] - mean) / deviation).float()  # in deviations from the mean",
        ]
    lines += _fit_alone(plan) if len(plan.epochs) == 1 else _fit_side_by_side(plan)
    return lines + (_believed(plan) if calibrated else []) + _settled(plan)


def _fits(plan: Plan) -> dict[str, tuple[str, str, str]]:
    """Of each part: who learns from which rows, the function that fits it, and what that is told beyond the data."""
    fits = {}
    if sizes := plan.network:
        told = f"epochs={sizes.epochs}, batch={sizes.batch}, rate={sizes.rate!r}, decay={sizes.decay!r}"
        fits[COLUMNS] = (f"learning(folds, {sizes.members})", "fit_members", told)
    for part in plan.other_parts:
        settings = plan.parts[part.name]
        fits[part.name] = (part.snippets.learns(settings), *part.snippets.fit(settings))
    return fits


def _fit_call(plan: Plan, name: str, module: str, learns: str) -> list[str]:
    """The call that fits a part; where a fit was interrupted, up to there."""
    _, function, told = _fits(plan)[name]
    classes = plan.target.task == "classification"
    losses, learned = ("member_log_losses", "targets[train]") if classes else ("member_squared_errors", "unit_targets")
    given = f"    {module}, inputs, {learned}, {learns}, {losses}, {told},"
    if len(given) + INDENT > SCRIPT_WIDTH:
        given = f"    {module}, inputs, {learned}, {learns}, {losses},\n    {told},"
    lines = [f"{function}(", *given.splitlines(), ")"]
    if plan.fitting.interrupted_after is None:
        return lines
    last = plan.last_epochs[name]
    return [
        "up_to(",
        *(f"    {line}" for line in [*lines[:-1], "),"]),
        f"    {last},  # there it was interrupted",
        ")",
    ]


def _fit_alone(plan: Plan) -> list[str]:
    ((name, (learns, *_)),) = _fits(plan).items()
    first, *others = _fit_call(plan, name, "model", "learns")
    return [
        f"learns = {learns}",
        f"torch.manual_seed({plan.fitting.seed})  # of the order of the rows",
        f"epochs = {first}",
        *others,
        "for epoch, loss, held_out_loss in keeping_best(model, epochs):",
        '    print(f"epoch {epoch:3d}  loss {loss:.4f}  on held-out rows {held_out_loss:.4f}")',
    ]


def _fit_side_by_side(plan: Plan) -> list[str]:
    fits = _fits(plan)
    lines = mapping("learns = ", [f'"{name}": {learns}' for name, (learns, *_) in fits.items()], "")
    lines.append("fits = {")
    for name in fits:
        first, *between, last = _fit_call(plan, name, name, f'learns["{name}"]')
        lines += [f'    "{name}": {first}', *(f"    {line}" for line in between), f"    {last},"]
    return [
        *lines,
        "}",
        "for name, epochs in fits.items():",
        f"    torch.manual_seed({plan.fitting.seed})  # of the order of the rows",
        "    for epoch, loss, held_out_loss in keeping_best(model[name], epochs):",
        '        print(f"{name}: epoch {epoch:3d}  loss {loss:.4f}  on held-out rows {held_out_loss:.4f}")',
    ]


def _believed(plan: Plan) -> list[str]:
    """How sure the network may be, and how far each of several parts is believed, by answers to rows held out."""
    classes, alone = plan.target.task == "classification", len(plan.epochs) == 1
    if alone and not classes:
        return []
    shares = ".softmax(dim=-1)" if classes else ""
    if alone:
        lines = [f"held_out = held_out_mean(held_out_outputs(model, inputs, learns).double(){shares}, learns)"]
    else:
        lines = [
            "held_out = torch.stack([",
            f"    held_out_mean(held_out_outputs(part, inputs, learns[name]).double(){shares}, learns[name])",
            "    for name, part in model.items()",
            "])",
        ]
    if alone:
        fit = "temperature = fit_temperature(held_out.clamp_min(1e-12).log(), targets[train])  # how sure it may be"
    elif classes:
        fit = "weights, bias = fit_weights(held_out, targets[train])  # how far each part is believed"
    else:
        fit = "weights = least_squares_weights(held_out.squeeze(2), unit_targets)  # how far each part is believed"
    return [*lines, fit]


def _settled(plan: Plan) -> list[str]:
    """What parts become once their members have answered to the rows that they held out."""
    alone = len(plan.epochs) == 1
    parts = {"model" if alone else part.name: part.snippets.settle for part in plan.other_parts}
    return [f"{name}.{settle}" for name, settle in parts.items() if settle]


def answers_of_network(plan: Plan) -> list[str]:
    """What the network answers to the test rows, by its parts together."""
    classes, alone = plan.target.task == "classification", len(plan.epochs) == 1
    if alone:
        answer = "outputs_of(model, unseen, torch.arange(len(test))).double()"
        if classes:
            sure = "(outputs.softmax(dim=-1).mean(dim=0).clamp_min(1e-12).log() / temperature).softmax(dim=-1)"
            return [f"outputs = {answer}", f"answers = {sure}"]
        return [f"answers = {answer}.mean(dim=0).flatten() * deviation + mean"]
    shares = ".softmax(dim=-1)" if classes else ""
    lines = [
        "given = torch.stack([",
        f"    outputs_of(part, unseen, torch.arange(len(test))).double(){shares}.mean(dim=0)",
        "    for part in model.values()",
        "])",
    ]
    if classes:
        return [*lines, "answers = blended(given, weights, bias)"]
    return [*lines, "answers = (weights.unsqueeze(1) * given.squeeze(2)).sum(dim=0) * deviation + mean"]


def fit_line(predictor: Predictor) -> list[str]:
    """The weights of the straight line."""
    fit = "least_squares(design, targets[train])"
    if predictor.plan.target.task == "classification":
        fit = f"logistic(design, targets[train], outputs={outputs_for(predictor.encoders)})"
    return [
        "# 3 Fit: the weights with the least error",
        "with torch.no_grad():",
        "    design = model.design(inputs)",
        f"weight, bias = {fit}",
        'model.load_state_dict({**model.state_dict(), "sums.weight": weight, "sums.bias": bias})',
    ]


def answers_of_line(plan: Plan) -> list[str]:
    """What the straight line answers to the test rows."""
    classes = plan.target.task == "classification"
    return [
        "with torch.inference_mode():",
        "    outputs = model(unseen)",
        "answers = outputs.softmax(dim=-1)" if classes else "answers = outputs.flatten()",
    ]
