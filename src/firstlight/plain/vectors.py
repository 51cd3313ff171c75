"""A model that reads texts as means of learned vectors (step 2), and how it is fitted (step 3).

Where each piece has a weight of its own, it learns apart from all others. Here each has a short vector, a text is the
mean of its pieces' vectors, and a few weights turn that mean into answers: so a rare word leans on what it shares with
common ones. Sources: Joulin et al. 2017 (fastText); leaving words out: Iyyer et al. 2015.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.pieces import weighted_mean
from firstlight.plain.ragged import Ragged
from firstlight.plain.targets import as_goals, goals_of

LEFT_OUT_SHARE = 0.3  # of a text's pieces, each time that it is read in the fit


class MeanVectors(nn.Module):
    """Means of the vectors of a text's pieces, weighed for each class: inputs to (members, rows, outputs) float32.

    view: under which name the inputs hold the texts. known: the pieces that have vectors, (pieces,) int32, ascending.
    Of two classes only the second has weights.
    """

    def __init__(self, view: str, known: Tensor, members: int, size: int, outputs: int) -> None:
        super().__init__()
        self.view, self.members, self.outputs = view, members, outputs
        self.known = nn.Buffer(known)
        born = torch.empty(len(known), 1, size).uniform_(-1 / size, 1 / size)  # the same for all members
        self.table = nn.Parameter(born.expand(-1, members, -1).flatten(1).contiguous())
        self.heads = nn.Parameter(torch.zeros(members, size, 1 if outputs == 2 else outputs))

    def forward(self, inputs: dict[str, Ragged]) -> Tensor:
        return self.answers(inputs[self.view].among(self.known))

    def answers(self, texts: Ragged) -> Tensor:
        """The same for texts as the places of their pieces among those that have vectors."""
        means = F.embedding_bag(texts.values, self.table, texts.starts, mode="mean", include_last_offset=True)
        answers = torch.bmm(means.view(-1, *self.heads.shape[:2]).transpose(0, 1), self.heads)
        return F.pad(answers, (1, 0)) if self.outputs == 2 else answers

    def keep_last(self) -> None:
        """Lets the last member, which learned from all rows, answer alone."""
        size = self.heads.shape[1]
        self.table = nn.Parameter(self.table.detach()[:, -size:].contiguous())
        self.heads = nn.Parameter(self.heads.detach()[-1:].clone())
        self.members = 1


def mean_vectors(view: str, texts: Ragged, most: int, members: int, size: int, outputs: int) -> MeanVectors:
    """The module for training texts: it knows all their pieces, or the `most` that stand in the most texts."""
    keys, counts = texts.values.unique(return_counts=True)
    fewest = int(counts.sort(descending=True).values[most]) + 1 if len(keys) > most else 1
    return MeanVectors(view, keys[counts >= fewest], members, size, outputs)


def shuffled(texts: Ragged) -> tuple[Tensor, Ragged]:
    """A random order of the texts, and the texts in it, with a random share of their pieces left out."""
    order = torch.randperm(len(texts))
    chosen = texts.index_select(0, order)
    left = torch.rand(len(chosen.values)) >= LEFT_OUT_SHARE
    return order, Ragged(chosen.values[left], F.pad(left.cumsum(0), (1, 0))[chosen.starts].int())


def fit_vectors(
    model: MeanVectors, inputs: dict[str, Ragged], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, batch: int, rate: float, head_rate: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Gradient descent by hand, a step touching only the vectors of its batch's pieces; yields as `fit_members`.

    The rates fall to zero. A member's steps on its heads are shortened by the root of all its squared slopes so far
    (Duchi et al. 2011), and errors are cut at one (Huber 1964): without either, they can grow without bound.
    """
    texts, rows = inputs[model.view].among(model.known), len(targets)
    classes = not targets.is_floating_point()
    goals = goals_of(targets, model.outputs)
    table, heads = model.table.detach(), model.heads.detach()
    squares = torch.full((len(heads), 1, 1), 1e-3)
    for epoch in range(1, epochs + 1):
        order, read = shuffled(texts)
        lengths = read.starts.diff()
        for first in range(0, rows, batch):
            last = min(first + batch, rows)
            left = 1 - ((epoch - 1) * rows + first) / (epochs * rows)  # of the way
            begin, end = int(read.starts[first]), int(read.starts[last])
            pieces, starts = read.values[begin:end], read.starts[first : last + 1] - begin
            means = F.embedding_bag(pieces, table, starts, mode="mean", include_last_offset=True)
            means = means.view(-1, *heads.shape[:2]).transpose(0, 1)  # (members, texts, size)
            chosen = order[first:last]
            error = as_goals(torch.bmm(means, heads), classes) - goals[chosen]
            error = error.clamp(-1, 1) * learns[:, chosen].unsqueeze(2)
            change = torch.bmm(error, heads.transpose(1, 2)).transpose(0, 1).flatten(1)
            change = change / lengths[first:last].clamp_min(1).unsqueeze(1)
            table.index_add_(0, pieces, change.repeat_interleave(lengths[first:last], 0), alpha=-rate * left)
            slope = torch.bmm(means.transpose(1, 2), error)
            squares = squares + slope.square().sum((1, 2), keepdim=True)
            heads.sub_(head_rate * left * slope / squares.sqrt())
        with torch.no_grad():
            losses = losses_of(model.answers(texts), targets)
        yield epoch, weighted_mean(losses, learns), weighted_mean(losses, 1 - learns)
