"""Small networks whose first layer is looked up, not multiplied, while rows are answered (step 4).

Of the features of a row most are known before it is seen: of all words of a column at most one is 1, and the others are
0; a number has come through all bins below it, and through a part of one. So what the first layer makes of a word is a
row of its weights, and what it makes of a number lies between two sums of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.plain.categories import OneHot
from firstlight.plain.network import MemberLinear, Members
from firstlight.plain.numbers import PiecewiseLinear, standardise

LOOKED_UP_FROM = 16  # features of a column, on the average: with fewer, multiplying is as quick


@dataclass(frozen=True, eq=False)
class Lookups:
    """Which rows of a table are added up for each row of cells, and how much of each of them.

    places, shares: (rows, lookups) int64 and float32; table: (members, places, outputs) float32.
    """

    places: Tensor
    shares: Tensor
    table: Tensor

    def sums(self, member: int) -> Tensor:
        """What is found for each row of cells: (rows, outputs)."""
        return F.embedding_bag(self.places, self.table[member], mode="sum", per_sample_weights=self.shares)


def lookups_of_words(feature: OneHot, codes: Tensor, weight: Tensor) -> Lookups:
    """The same as `feature(codes) @ weight`; weight: (members, width, outputs)."""
    places = feature.places(codes)
    return Lookups((places - 1).clamp_min(0), (places > 0).float(), weight)


def lookups_of_bins(feature: PiecewiseLinear, values: Tensor, weight: Tensor) -> Lookups:
    """The same as `(features of the bins) @ weight`; weight: (members, bins, outputs), values: (rows, columns).

    There must be a bin at least; there may be columns without any.
    """
    columns, bins = torch.arange(values.shape[1]), torch.arange(len(feature.left))
    first = torch.searchsorted(feature.column, columns)  # the bins stand column by column
    many = torch.searchsorted(feature.column, columns, right=True) - first
    left = torch.full((len(columns), int(many.max())), torch.inf)
    left[feature.column, bins - first[feature.column]] = feature.left
    numbers = standardise(values, feature.centre, feature.spread).nan_to_num(nan=0.0)
    place = first + (torch.searchsorted(left, numbers.T.contiguous(), right=True).T - 1).clamp_min(0)
    its_bin = place.clamp_max(len(bins) - 1)
    share = ((numbers - feature.left[its_bin]) / feature.length[its_bin]).clamp(0, 1) * (many > 0)
    table = weight.new_zeros(len(weight), len(columns) + len(bins), weight.shape[2])
    table[:, 1 + feature.column + bins] = weight  # the row before those of a column stands for no bin at all
    upto = table.cumsum(dim=1)
    table = upto - upto[:, first + columns].repeat_interleave(1 + many, dim=1)
    below = place + columns
    places = torch.stack([below, (below + 1).clamp_max(table.shape[1] - 1)], dim=2)
    return Lookups(places.flatten(1), torch.stack([1 - share, share], dim=2).flatten(1), table)


def without_bins(feature: PiecewiseLinear) -> PiecewiseLinear:
    """The same features but for those of the bins."""
    none = feature.left[:0]
    return PiecewiseLinear(feature.centre, feature.spread, none, none, feature.column[:0], feature.gappy)


def through(layer: MemberLinear, member: int, inputs: Tensor) -> Tensor:
    """What one member's layer makes of inputs, (rows, inputs): (rows, outputs)."""
    return torch.addmm(layer.bias[member].to(inputs.dtype), inputs, layer.weight[member].to(inputs.dtype))


class MembersByLookup(Members):
    """The same networks and answers, sooner given where rows are only answered, not learned from."""

    kind = torch.float32  # of what all layers but the last multiply; what is looked up is always float32
    at_once = 4096  # rows, so that what a member makes of them lies near the processor

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        if torch.is_grad_enabled():
            return self.multiplied(inputs)
        looked_up, features, weight = self.shortened(inputs)
        first: MemberLinear = self.hidden[0]  # type: ignore[assignment]
        answers = []
        for member, its_weight in enumerate(weight):  # one at a time, as what it sees fits into the processor's cache
            signal = torch.addmm(first.bias[member], features, its_weight)
            for lookups in looked_up:
                signal += lookups.sums(member)
            signal = F.relu(signal).to(self.kind)
            for layer in self.hidden[1:]:
                signal = F.relu(through(layer, member, signal))  # type: ignore[arg-type]
            answers.append(through(self.output, member, signal.float()))
        return torch.stack(answers)

    def multiplied(self, inputs: dict[str, Tensor]) -> Tensor:
        """The answers by products alone, as slopes need them."""
        features = torch.cat([feature(inputs[name]).to(self.kind) for name, feature in self.features.items()], dim=1)
        signal = features.expand(len(self.output.weight), -1, -1)
        for layer in self.hidden:
            signal = F.relu(layer(signal))
        return self.output(signal.float())  # type: ignore[no-any-return]

    def shortened(self, inputs: dict[str, Tensor]) -> tuple[list[Lookups], Tensor, Tensor]:
        """What is looked up for the first layer, the features that are multiplied, and their weights."""
        first: MemberLinear = self.hidden[0]  # type: ignore[assignment]
        weights = first.weight.split([feature.width for feature in self.features.values()], dim=1)
        rows = len(inputs[next(iter(self.features))])
        looked_up, features, rest = [], [torch.empty(rows, 0)], [first.weight[:, :0]]
        for (name, feature), weight in zip(self.features.items(), weights, strict=True):
            values = inputs[name]
            if isinstance(feature, OneHot):
                looked_up.append(lookups_of_words(feature, values, weight))
                continue
            if isinstance(feature, PiecewiseLinear) and feature.width >= LOOKED_UP_FROM * values.shape[1]:
                bins = len(feature.left)
                looked_up.append(lookups_of_bins(feature, values, weight[:, :bins]))
                feature, weight = without_bins(feature), weight[:, bins:]
            features.append(feature(values))
            rest.append(weight)
        return looked_up, torch.cat(features, dim=1), torch.cat(rest, dim=1)


class MembersInHalf(MembersByLookup):
    """The same in bfloat16, half of float32, but for lookups and the last layer: some processors are far quicker."""

    kind = torch.bfloat16
