"""Small networks over columns of many bins: what numbers give to the first layer is looked up, not multiplied (step 4).

A number has come through all bins below it and through a part of one. What its bins give to the first layer is the sum
of the weights of the former, which is known before any row is seen, and a part of the latter's: two lookups a column.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.plain.network import MemberLinear, Members
from firstlight.plain.numbers import PiecewiseLinear, standardise

LOOKED_UP_FROM = 16  # features of a column, on the average: with fewer, multiplying is as quick


class MembersByLookup(Members):
    """The same networks and answers, sooner given where rows are only answered, not learned from."""

    kind = torch.float32  # of the numbers that all layers but the last multiply

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        signal = F.relu(self.multiplied(inputs) if torch.is_grad_enabled() else self.looked_up(inputs))
        for layer in self.hidden[1:]:
            signal = F.relu(layer(signal))
        return self.output(signal.float())  # type: ignore[no-any-return]

    def multiplied(self, inputs: dict[str, Tensor]) -> Tensor:
        """What the first layer makes of the features, as slopes need it: (members, rows, width)."""
        features = torch.cat([feature(inputs[name]).to(self.kind) for name, feature in self.features.items()], dim=1)
        return self.hidden[0](features.expand(len(self.output.weight), -1, -1))  # type: ignore[no-any-return]

    def looked_up(self, inputs: dict[str, Tensor]) -> Tensor:
        """The same, in the shorter way."""
        first: MemberLinear = self.hidden[0]  # type: ignore[assignment]
        weights = first.weight.split([feature.width for feature in self.features.values()], dim=1)
        signal: Tensor = first.bias
        for (name, feature), weight in zip(self.features.items(), weights, strict=True):
            values = inputs[name]
            if isinstance(feature, PiecewiseLinear) and feature.width >= LOOKED_UP_FROM * values.shape[1]:
                signal = signal + sums_of_bins(feature, values, weight)
            else:
                signal = signal + feature(values) @ weight
        return signal.to(self.kind)


class MembersInHalf(MembersByLookup):
    """The same in bfloat16, half of float32, but for the last layer: some processors are far quicker in it."""

    kind = torch.bfloat16


def sums_of_bins(feature: PiecewiseLinear, values: Tensor, weight: Tensor) -> Tensor:
    """The same as `feature(values) @ weight`; weight: (members, width, outputs); returns (members, rows, outputs)."""
    columns, bins = torch.arange(values.shape[1]), len(feature.left)
    first = torch.searchsorted(feature.column, columns)  # the bins stand column by column
    many = torch.searchsorted(feature.column, columns, right=True) - first
    left = torch.full((len(columns), int(many.max())), torch.inf)
    left[feature.column, torch.arange(bins) - first[feature.column]] = feature.left
    numbers = standardise(values, feature.centre, feature.spread).nan_to_num(nan=0.0)
    through = (torch.searchsorted(left, numbers.T.contiguous(), right=True).T - 1).clamp_min(0)  # whole bins
    place = first + through
    its_bin = place.clamp_max(bins - 1)
    share = ((numbers - feature.left[its_bin]) / feature.length[its_bin]).clamp(0, 1) * (many > 0)
    upto = F.pad(weight[:, :bins], (0, 0, 1, 0)).cumsum(dim=1)  # sums over the bins of this and all earlier columns
    no_bins = feature.left[:0]
    others = PiecewiseLinear(feature.centre, feature.spread, no_bins, no_bins, feature.column[:0], feature.gappy)
    beside, found = others(values), []
    for before, own in zip(upto, weight, strict=True):  # a member at a time, as its sums fit into the processor's cache
        sums = torch.addmm(-before[first].sum(dim=0), beside, own[bins:])
        sums += F.embedding_bag(place, before, mode="sum")
        sums += F.embedding_bag(its_bin, own, mode="sum", per_sample_weights=share)
        found.append(sums)
    return torch.stack(found)
