"""Step 2, build: the nn.Modules that a plan asks for, random until they are fitted."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from firstlight.model.encoding import Encoders
from firstlight.plain.line import Line
from firstlight.plain.network import Members
from firstlight.plan.plan import Plan


def build_network(plan: Plan, encoders: Encoders, inputs: Mapping[str, Tensor]) -> Members:
    """The network for encoded training rows; its parameters are random, from the plan's seed."""
    features = {
        kind.block: kind.network_features(inputs[kind.block], encoders.learned[kind.block], plan.network.bins)
        for kind in plan.kinds
    }
    return network_over(nn.ModuleDict(features), plan, outputs_for(encoders))


def network_over(features: nn.ModuleDict, plan: Plan, outputs: int) -> Members:
    """The network over given features, as it is born: random, from the plan's seed."""
    torch.manual_seed(plan.fitting.seed)
    sizes = plan.network
    return Members(features, sizes.members, sizes.width, sizes.layers, outputs)


def build_line(plan: Plan, encoders: Encoders, inputs: Mapping[str, Tensor]) -> Line:
    """The straight line for encoded training rows; its weights are to be filled by a closed form."""
    features = {kind.block: kind.line_features(inputs[kind.block], encoders.learned[kind.block]) for kind in plan.kinds}
    return Line(nn.ModuleDict(features), outputs_for(encoders))


def outputs_for(encoders: Encoders) -> int:
    """One output a class; one in all for a number."""
    return len(encoders.labels) or 1


def parameters_of(module: nn.Module) -> int:
    """How many numbers gradient descent, or a closed form, can turn."""
    return sum(parameter.numel() for parameter in module.parameters())
