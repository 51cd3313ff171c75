"""A model that answers with what is known of similar rows (step 2), and how it learns what is similar (step 3).

Every row gets a place among all rows; the answer to a row is the mean of what is known of the others, the nearer the
more. What is learned is where rows are placed, so that rows of like answers lie together. Sources: Goldberger et al.
2004 (neighbourhood components analysis); with random others in every step: Ye et al. 2024 (ModernNCA).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.categories import OneHot
from firstlight.plain.loop import descent, outputs_of, rows_of
from firstlight.plain.network import MemberLinear
from firstlight.plain.numbers import wavy_numbers
from firstlight.plain.pieces import weighted_mean

DOUBT = 0.002  # of an answer's probability, for classes that no similar row has
FAINTEST = 40.0  # how much less likely, as a logarithm, the farthest row is at most: smaller numbers slow machines down
MOST_TAUGHT = 100_000  # rows that are learned from: more, chosen by chance, would only take longer
AT_ONCE = 128  # rows that are answered: their distances to all others fit into the processor's cache
WAVES = 6  # by which near numbers of a column are told apart
OTHER = 1e4  # more than any squared distance: so far away is a row that a member may not see


class Neighbours(nn.Module):
    """Answers of similar rows: a (rows, ...) tensor a kind to (members, rows, outputs) float32.

    size: numbers that say where a row lies. keys: where the rows lie that are remembered, (members, kept, size).
    known: their answers, (kept, outputs). seen: 1 where a member may see them, (members, kept).
    """

    def __init__(
        self, features: nn.ModuleDict, members: int, size: int, width: int, kept: int, outputs: int, classes: bool
    ) -> None:
        super().__init__()
        self.features, self.classes = features, classes
        words = sum(feature.width for feature in features.values() if isinstance(feature, OneHot))
        numbers = sum(feature.width for feature in features.values()) - words  # type: ignore[misc]
        self.place = MemberLinear(members, numbers, size)
        reach = (1 + words) ** -0.5
        self.place_of_word = nn.Parameter(torch.empty(1 + words, members * size).uniform_(-reach, reach))
        self.widen, self.narrow = MemberLinear(members, size, width), MemberLinear(members, width, size)
        self.keys = nn.Buffer(torch.zeros(members, kept, size))
        self.known = nn.Buffer(torch.zeros(kept, outputs))
        self.seen = nn.Buffer(torch.zeros(members, kept))

    def described(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The features of the numbers of rows, (rows, width); and the places of their words, (rows, columns) int64."""
        rows = len(inputs[next(iter(self.features))])
        features, words, begin = [torch.zeros(rows, 0)], [torch.zeros(rows, 1, dtype=torch.int64)], 0
        for name, feature in self.features.items():
            if isinstance(feature, OneHot):
                places = feature.places(inputs[name])
                words.append(torch.where(places > 0, places + begin, 0))
                begin += feature.width
            else:
                features.append(feature(inputs[name]))
        return torch.cat(features, dim=1), torch.cat(words, dim=1)

    def places(self, features: Tensor, words: Tensor) -> Tensor:
        """Where rows of these features and words lie: (members, rows, size).

        To look up the weights of a word is to multiply all weights by its 1 and the 0 of all others, and much quicker.
        """
        members, _, size = self.keys.shape
        by_word = F.embedding_bag(words, self.place_of_word, mode="sum", padding_idx=0)
        place = self.place(features.expand(members, -1, -1)) + by_word.view(-1, members, size).transpose(0, 1)
        return place + self.narrow(F.relu(self.widen(place)))  # type: ignore[no-any-return]

    def told(self, places: Tensor, keys: Tensor, known: Tensor, seen: Tensor) -> Tensor:
        """The answer at each place: numbers, or the logarithms of probabilities."""
        mean = mean_by_distance(places, keys, known, seen)
        return ((1 - DOUBT) * mean + DOUBT / known.shape[1]).log() if self.classes else mean

    def see_all(self) -> None:
        """Lets each member see, once it has learned, the rows that it held out, too."""
        self.seen.fill_(1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        places = self.places(*self.described(inputs))
        told = [self.told(some, self.keys, self.known, self.seen) for some in places.split(AT_ONCE, dim=1)]
        return torch.cat(told, dim=1)


def mean_by_distance(places: Tensor, keys: Tensor, known: Tensor, seen: Tensor) -> Tensor:
    """Means of what is known of keys, weighed by exp(-squared distance): (members, places, outputs).

    places: (members, places, size); keys: (members, keys, size); known: (keys, outputs); seen: (members, keys).
    """
    length = keys.square().sum(dim=2) + OTHER * (1 - seen)  # that of the place is the same for all keys
    nearness = torch.baddbmm(-length.unsqueeze(1), places, keys.mT, alpha=2)
    with torch.no_grad():
        nearness.clamp_(min=nearness.amax(dim=2, keepdim=True) - FAINTEST)
    return nearness.softmax(dim=2) @ known


def features_of_cells(inputs: Mapping[str, Tensor], names: Sequence[str], bins: int) -> nn.ModuleDict:
    """A features module for each of the named kinds, from training rows: numbers in bins and waves, a place a word."""
    return nn.ModuleDict(
        {
            name: wavy_numbers(inputs[name], bins, WAVES)
            if inputs[name].is_floating_point()
            else OneHot(inputs[name].amax(dim=0))
            for name in names
        }
    )


def fit_neighbours(
    model: Neighbours, inputs: dict[str, Tensor], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, batch: int, others: int, rate: float, decay: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Gradient descent; in every step a batch is answered from other rows chosen by chance. Yields as `fit_members`."""
    taught = torch.randperm(len(targets))[:MOST_TAUGHT]
    described = [model.described(rows_of(inputs, block)) for block in taught.split(4096)]
    features, words = (torch.cat(parts) for parts in zip(*described, strict=True))
    targets, learns, rows = targets[taught], learns[:, taught], len(taught)
    known = F.one_hot(targets, model.known.shape[1]).float() if model.classes else targets.float().unsqueeze(1)
    kept = slice(0, len(model.known))
    model.known.copy_(known[kept])
    model.seen.copy_(learns[:, kept])
    optimiser, schedule = descent(model, rate, decay, epochs * -(-rows // batch))
    watched = taught[:4096]  # they stand in random order
    for epoch in range(1, epochs + 1):
        model.train()
        total = torch.zeros(())
        order = torch.randperm(rows)
        for first in range(0, rows, batch):
            chosen = order.roll(-first)[: batch + others]  # the batch, and after it the others
            asking = min(batch, rows - first)
            places = model.places(features[chosen], words[chosen])
            other = chosen[asking:]
            outputs = model.told(places[:, :asking], places[:, asking:], known[other], learns[:, other])
            weights = learns[:, chosen[:asking]]
            loss = (losses_of(outputs, targets[chosen[:asking]]) * weights).sum() / weights.sum().clamp_min(1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach() * asking
        with torch.no_grad():
            blocks = zip(features[kept].split(4096), words[kept].split(4096), strict=True)
            model.keys.copy_(torch.cat([model.places(*block) for block in blocks], dim=1))
        losses = losses_of(outputs_of(model, inputs, watched), targets[: len(watched)])
        yield epoch, total.item() / rows, weighted_mean(losses, 1 - learns[:, : len(watched)])
