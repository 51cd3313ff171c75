"""Step 2, build: the nn.Modules that a plan asks for, random until they are fitted.

The network consists of parts: one reads all columns that are read cell by cell, others read texts or pictures. Each
answers by itself, (members, rows, outputs), and each of its members holds a fold of the training rows out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.kinds.cells import CellPart
from firstlight.kinds.kind import Epochs, Kind, KindPart, Losses
from firstlight.model.encoding import Encoders
from firstlight.plain.line import Line
from firstlight.plain.lookup import LOOKED_UP_FROM, MembersByLookup, MembersInHalf
from firstlight.plain.loop import fit_members, learning
from firstlight.plain.network import Members
from firstlight.plan.plan import COLUMNS, Network, Plan


@dataclass(frozen=True)
class PlannedPart:
    """A part of the network, with what the plan says of it.

    build(inputs)      the module, as it is born; inputs: the encoded training rows
    rebuild(tensors)   a module of the same shapes for the tensors of a file, by their names in the module
    learns(folds)      from which rows each member learns: (members, rows)
    fit(module, inputs, targets, learns, losses_of)
    settle(module)     after the fit: leaves what answers new rows
    """

    name: str
    told: str  # what it reads, for people
    learns: Callable[[Tensor], Tensor]
    build: Callable[[Mapping[str, Any]], nn.Module]
    rebuild: Callable[[Mapping[str, Tensor]], nn.Module]
    fit: Callable[[nn.Module, dict[str, Any], Tensor, Tensor, Losses], Epochs]
    settle: Callable[[nn.Module], None]


def parts_of(plan: Plan, encoders: Encoders) -> tuple[PlannedPart, ...]:
    """The parts of the plan's network, in the order in which they are built and fitted."""
    cells = [_over_columns(plan, plan.network, encoders)] if plan.network else []
    return (
        *cells,
        *(_over_cells(part, plan, encoders) for part in plan.cell_parts),
        *(_over_kind(part, plan, encoders) for _, part in plan.kind_parts),
    )


def members_of(sizes: Network) -> type[Members]:
    """The class of the small networks over the columns: of large tables the one that answers fast."""
    if sizes.half:
        return MembersInHalf
    return MembersByLookup if sizes.bins >= LOOKED_UP_FROM else Members


def _over_columns(plan: Plan, sizes: Network, encoders: Encoders) -> PlannedPart:
    def over(features: nn.ModuleDict) -> nn.Module:
        return members_of(sizes)(features, sizes.members, sizes.width, sizes.layers, outputs_for(encoders))

    def build(inputs: Mapping[str, Any]) -> nn.Module:
        return over(
            nn.ModuleDict(
                {
                    kind.block: kind.network_features(inputs[kind.block], encoders.learned[kind.block], sizes.bins)
                    for kind in plan.cell_kinds
                    if kind.network_features
                }
            )
        )

    return PlannedPart(
        name=COLUMNS,
        told="the columns",
        learns=lambda folds: learning(folds, sizes.members),
        build=build,
        rebuild=lambda tensors: over(features_of(plan.cell_kinds, tensors, 0)),
        fit=lambda module, inputs, targets, learns, losses_of: fit_members(
            module, inputs, targets, learns, losses_of, epochs=sizes.epochs, batch=sizes.batch, rate=sizes.rate,
            decay=sizes.decay,
        ),
        settle=lambda module: None,
    )  # fmt: skip


def _over_cells(part: CellPart[Any], plan: Plan, encoders: Encoders) -> PlannedPart:
    settings, outputs = plan.parts[part.name], outputs_for(encoders)
    return PlannedPart(
        name=part.name,
        told=part.told,
        learns=lambda folds: part.learns(folds, settings),
        build=lambda inputs: part.build(inputs, plan.cell_blocks, settings, outputs),
        rebuild=lambda tensors: part.rebuild(tensors, plan.cell_blocks, settings, outputs),
        fit=lambda module, inputs, targets, learns, losses_of: part.fit(
            module, inputs, targets, learns, losses_of, settings
        ),
        settle=part.settle,
    )


def _over_kind(part: KindPart[Any, Any], plan: Plan, encoders: Encoders) -> PlannedPart:
    settings = plan.parts[part.name]
    outputs = outputs_for(encoders)
    return PlannedPart(
        name=part.name,
        told=part.told,
        learns=lambda folds: part.learns(folds, settings),
        build=lambda inputs: part.build(inputs[part.block], settings, outputs),
        rebuild=lambda tensors: part.rebuild(tensors, settings, outputs),
        fit=lambda module, inputs, targets, learns, losses_of: part.fit(
            module, inputs, targets, learns, losses_of, settings
        ),
        settle=part.settle,
    )


def features_of(kinds: tuple[Kind[Any], ...], tensors: Mapping[str, Tensor], which: int) -> nn.ModuleDict:
    """The features modules of kinds from their tensors, of the network (0) or the line (1), and no other module."""
    features = {}
    for kind in kinds:
        module = kind.modules[which]
        prefix = f"features.{kind.block}."
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        if module is not None:
            with torch.device("cpu"):
                features[kind.block] = module(**own)
    return nn.ModuleDict(features)


def build_network(plan: Plan, encoders: Encoders, inputs: Mapping[str, Any]) -> nn.ModuleDict:
    """The parts of the network for encoded training rows, as they are born: random, from the plan's seed."""
    return _born(plan, encoders, lambda part: part.build(inputs))


def network_anew(network: nn.ModuleDict, plan: Plan, encoders: Encoders) -> nn.ModuleDict:
    """The parts of a fitted network as they were when they were born."""
    return _born(plan, encoders, lambda part: part.rebuild(network[part.name].state_dict()))


def _born(plan: Plan, encoders: Encoders, make: Callable[[PlannedPart], nn.Module]) -> nn.ModuleDict:
    parts = nn.ModuleDict()
    for part in parts_of(plan, encoders):
        torch.manual_seed(plan.fitting.seed)
        parts[part.name] = make(part)
    return parts


def build_line(plan: Plan, encoders: Encoders, inputs: Mapping[str, Any]) -> Line:
    """The straight line for encoded training rows; its weights are to be filled by a closed form."""
    features = {kind.block: kind.line_features(inputs[kind.block], encoders.learned[kind.block]) for kind in plan.kinds}
    return Line(nn.ModuleDict(features), outputs_for(encoders))


def outputs_for(encoders: Encoders) -> int:
    """One output a class; one in all for a number."""
    return len(encoders.labels) or 1


def parameters_of(module: nn.Module) -> int:
    """How many numbers gradient descent, or a closed form, can turn."""
    return sum(parameter.numel() for parameter in module.parameters())
