"""A model that reads the pieces of texts: a weight for each piece and class (step 2), and how it is fitted (step 3)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.ragged import Ragged, TwoLevels
from firstlight.plain.targets import as_goals, goals_of


@dataclass(frozen=True, eq=False)
class Seen:
    """Texts as those of their pieces that a model knows, in one level or two, and what the sums are multiplied by."""

    texts: Ragged
    parts: Ragged | None
    scale: Tensor  # (rows, 1): large for short texts, as their few pieces say as much as many do

    def sums(self, values: Tensor) -> Tensor:
        """For each text the sum of the values of its pieces: (pieces, k) to (rows, k)."""
        return self.texts.sums(values if self.parts is None else self.parts.sums(values)) * self.scale


class PieceSums(nn.Module):
    """Sums of the weights of a text's pieces, for each member and class: inputs to (members, rows, outputs) float32.

    view: under which name the inputs hold the texts. known: the pieces that have weights, (pieces,) int32, ascending.
    size: how many of them a text has on average. Of two classes only the second has weights.
    """

    def __init__(self, view: str, known: Tensor, size: Tensor, members: int, outputs: int) -> None:
        super().__init__()
        self.view, self.members, self.outputs = view, members, outputs
        self.known, self.size = nn.Buffer(known), nn.Buffer(size)
        columns = members * (1 if outputs == 2 else outputs)
        self.weight = nn.Parameter(torch.zeros(len(known), columns))
        self.bias = nn.Parameter(torch.zeros(columns))

    def see(self, texts: Ragged | TwoLevels) -> Seen:
        """The pieces of texts that have weights."""
        if isinstance(texts, Ragged):
            rows, parts = texts.among(self.known), None
            counts = rows.starts.diff().float().unsqueeze(1)
        else:
            rows, parts = texts.rows, texts.parts.among(self.known)
            counts = rows.sums(parts.starts.diff().float().unsqueeze(1))
        return Seen(rows, parts, (self.size / counts.clamp_min(1)).sqrt())

    def forward(self, inputs: dict[str, Ragged | TwoLevels]) -> Tensor:
        sums = (self.see(inputs[self.view]).sums(self.weight) + self.bias).unflatten(1, (self.members, -1))
        return (F.pad(sums, (1, 0)) if self.outputs == 2 else sums).transpose(0, 1)

    def keep_last(self) -> None:
        """Lets the last member, which learned from all rows, answer alone."""
        columns = len(self.bias) // self.members
        self.weight = nn.Parameter(self.weight.detach()[:, -columns:].contiguous())
        self.bias = nn.Parameter(self.bias.detach()[-columns:].clone())
        self.members = 1


def piece_sums(view: str, texts: Ragged | TwoLevels, most: int, members: int, outputs: int) -> PieceSums:
    """The module for training texts: it knows the pieces that two of them or more share, the most common ones."""
    pieces = texts if isinstance(texts, Ragged) else texts.parts
    keys, places = pieces.values.unique(return_inverse=True)
    if isinstance(texts, Ragged):
        counts = places.bincount(minlength=len(keys))
    else:
        holders = texts.rows.values.bincount(minlength=len(pieces))  # how many texts hold each part
        counts = torch.zeros(len(keys), dtype=torch.int64)
        counts.index_add_(0, places, holders.repeat_interleave(pieces.starts.diff()))
    kept = torch.nonzero(counts >= 2).flatten()
    if len(kept) > most:
        kept = counts.sort(descending=True, stable=True).indices[:most].sort().values
    known = torch.zeros(len(keys), 1).index_fill_(0, kept, 1.0)
    each = Ragged(places.int(), pieces.starts).sums(known)
    each = each if isinstance(texts, Ragged) else texts.rows.sums(each)
    return PieceSums(view, keys[kept], each.clamp_min(1).mean(), members, outputs)


def learning_and_all(folds: Tensor, members: int) -> Tensor:
    """1 where a member learns from a row: each member holds a fold out, but the last, which learns from all rows.

    folds: (rows,) int64; returns (members, rows).
    """
    held_out = torch.arange(members)
    held_out[-1] = -1  # no fold
    return (folds != held_out.unsqueeze(1)).float()


@dataclass(frozen=True, eq=False)
class Regression:
    """What linear members over pieces learn from, seen from both sides, and what is the same in every step.

    seen, holders: for texts their pieces; for pieces the parts, and for parts the texts, that hold them.
    goals: (rows, 1, columns), the truth as 0 and 1, or the number itself. share: (rows, members, 1), how much a row
    counts for a member: the same for all that it learns from, 1 in all.
    """

    seen: Seen
    holders: tuple[Ragged, ...]
    goals: Tensor
    share: Tensor
    classes: bool

    def back(self, values: Tensor) -> Tensor:
        """For each piece the sum of the values of the texts that hold it: (rows, k) to (pieces, k)."""
        for holders in self.holders:
            values = holders.sums(values)
        return values

    def curvature(self, guesses: Tensor, along: Tensor) -> Tensor:
        """The second derivative of the loss of each guess along a direction: (..., columns) twice to (...)."""
        if not self.classes:
            return along.square().sum(-1)
        if along.shape[-1] == 1:
            return (guesses * (1 - guesses) * along.square()).sum(-1)
        return (guesses * along.square()).sum(-1) - (guesses * along).sum(-1).square()


def regression(module: PieceSums, inputs: dict[str, Ragged | TwoLevels], targets: Tensor, learns: Tensor) -> Regression:
    """Prepares the fit of a module; targets: (rows,) classes int64, or numbers; learns: (members, rows)."""
    seen = module.see(inputs[module.view])
    pieces = len(module.known)
    if seen.parts is None:
        holders: tuple[Ragged, ...] = (seen.texts.turned(pieces),)
    else:
        holders = (seen.texts.turned(len(seen.parts)), seen.parts.turned(pieces))
    classes = not targets.is_floating_point()
    goals = goals_of(targets, module.outputs)
    share = (learns / learns.sum(dim=1, keepdim=True)).T.unsqueeze(2)
    return Regression(seen, holders, goals.unsqueeze(1), share, classes)


def telling(known: Regression, smoothing: float) -> Tensor:
    """How much each piece tells before any fit, each member from its own rows: (pieces, members * columns).

    Of classes: the logarithm of how many times likelier the piece is within the class than outside it; `smoothing` is
    added to each count. Source: Wang and Manning 2012. Of numbers: the mean of those in whose texts the piece stands,
    drawn towards 0 where these are few. A piece that only one of a member's rows holds tells it nothing.
    """
    learns = (known.share > 0).float()  # (rows, members, 1)
    rows = known.back(learns.flatten(1))  # of each member that hold a piece
    within = known.back((learns * known.goals).flatten(1))
    if known.classes:
        outside = known.back((learns * (1 - known.goals)).flatten(1)) + smoothing
        within = within + smoothing
        ratio = (within / within.sum(0)).log() - (outside / outside.sum(0)).log()
    else:
        ratio = within / (rows + 1)
    return ratio * (rows > 1.5).repeat_interleave(ratio.shape[1] // rows.shape[1], dim=1)


def fit_pieces(
    module: PieceSums, inputs: dict[str, Ragged | TwoLevels], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, decay: float, smoothing: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Logistic (or least squares) regression of all members at once, all rows at every step; yields as `fit_members`.

    A weight is how telling its piece is, times a factor that is learned: `decay` holds the factors small. Sums are
    linear in the factors, so how far to go in a direction is found on the sums alone, by Newton's method in one
    unknown. The directions are conjugate gradients. Source: Polak and Ribiere 1969.
    """
    known = regression(module, inputs, targets, learns)
    ratio = telling(known, smoothing)
    members, columns = len(learns), ratio.shape[1] // len(learns)
    factors = torch.zeros(len(ratio) + 1, ratio.shape[1])  # in the last row the biases, which nothing holds
    pull = (decay / learns.sum(dim=1)).repeat_interleave(columns).expand_as(factors).clone()
    pull[-1] = 0
    answers = torch.zeros(len(targets), members, columns)
    direction, last = torch.zeros_like(factors), torch.ones_like(factors)

    def by_member(products: Tensor) -> Tensor:
        return products.sum(0).view(members, columns).sum(1)

    for epoch in range(1, epochs + 1):
        error = ((as_goals(answers, known.classes) - known.goals) * known.share).flatten(1)
        slope = torch.cat([ratio * known.back(error * known.seen.scale), error.sum(0, keepdim=True)]) + pull * factors
        turn = by_member(slope * (slope - last)) / by_member(last.square()).clamp_min(1e-30)
        direction = turn.clamp_min(0).repeat_interleave(columns) * direction - slope
        along = (known.seen.sums(ratio * direction[:-1]) + direction[-1]).view_as(answers)
        held, bend = by_member(pull * factors * direction), by_member(pull * direction.square())
        length = best_length(known, answers, along, held, bend)
        answers = answers + length.unsqueeze(1) * along
        factors, last = factors + length.repeat_interleave(columns) * direction, slope
        with torch.no_grad():
            module.weight.copy_(ratio * factors[:-1])
            module.bias.copy_(factors[-1])
        outputs = (F.pad(answers, (1, 0)) if module.outputs == 2 else answers).transpose(0, 1)
        losses = losses_of(outputs, targets)
        yield epoch, weighted_mean(losses, learns), weighted_mean(losses, 1 - learns)


def best_length(known: Regression, answers: Tensor, along: Tensor, slope: Tensor, bend: Tensor) -> Tensor:
    """How far each member goes along its direction, where its loss is lowest: (members,).

    slope, bend: (members,), first and second derivative of what holds the factors small. Newton's method, kept between
    a length that is too short and one that is too long.
    """
    length, low, high = torch.zeros_like(slope), torch.zeros_like(slope), torch.full_like(slope, torch.inf)
    for _ in range(4):
        guesses = as_goals(answers + length.unsqueeze(1) * along, known.classes)
        first = ((guesses - known.goals) * known.share * along).sum((0, 2)) + slope + length * bend
        second = (known.curvature(guesses, along) * known.share[:, :, 0]).sum(0) + bend
        low, high = torch.where(first < 0, length, low), torch.where(first < 0, high, length)
        length = length - first / second.clamp_min(1e-30)
        length = torch.where((length >= low) & (length <= high), length, (low + high.clamp_max(1e6)) / 2)
    return length


def count_pieces(
    module: PieceSums, inputs: dict[str, Ragged | TwoLevels], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], smoothing: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Naive Bayes: how telling each piece is becomes its weight, in one look at the rows; yields as `fit_members`."""
    with torch.no_grad():
        module.weight.copy_(telling(regression(module, inputs, targets, learns), smoothing))
        losses = losses_of(module(inputs), targets)
    yield 1, weighted_mean(losses, learns), weighted_mean(losses, 1 - learns)


def weighted_mean(values: Tensor, weights: Tensor) -> float:
    """The mean of values that count by their weights."""
    return ((values * weights).sum() / weights.sum()).item()
