"""Boosted trees side by side (step 2), and how they are grown (step 3).

A tree asks every row the same few questions of the form "does this column lie from here to there?"; the answers are the
number of a leaf, and what stands in the leaf is added to the answer. Each tree is grown to put right what those before
it left wrong. Sources: Friedman 2001; trees that ask all rows the same: CatBoost, Prokhorenkova et al. 2018.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.numbers import LARGEST
from firstlight.plain.pieces import weighted_mean
from firstlight.plain.split import MANY_ROWS
from firstlight.plain.targets import as_goals, goals_of

MOST_BINS = 254  # of a column, so that their numbers fit into a byte; 0 is for gaps and unknown words
MOST_GROWN = 100_000  # rows from which the trees of an epoch are grown; of more, other ones in every epoch
FEWEST_RANKED = 20  # rows of a word, from which on it has a rank
SUMS_AT_ONCE = 2**21  # that are looked at for questions: more would lie far from the processor
SMALLEST = 1e-12  # that is divided by
SKETCHED = 4  # numbers that stand for a row's errors in all classes while questions are sought


class Bins(nn.Module):
    """Cells to the numbers of the bins that they fall into: a tensor a kind, (rows, columns), to (columns, rows) uint8.

    marks: of numbers the edges of their bins, (columns, most edges) float64, where a column has fewer beyond all
    numbers; of codes the ranks of their words, (columns, words) uint8, until known all 0. Codes have two columns each:
    they stay, and as ranks they can be asked about like amounts.
    """

    def __init__(self, marks: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, its_marks in marks.items():
            self.register_buffer(name, its_marks)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return torch.cat([binned(inputs[name], marks) for name, marks in self.named_buffers()])

    def ordered(self) -> Tensor:
        """Which columns hold amounts, not codes of words: (columns,) bool."""
        kinds = [[True] if marks.is_floating_point() else [False, True] for marks in self.buffers()]
        sizes = [len(marks) for marks in self.buffers()]
        return torch.cat([torch.tensor(kind).repeat_interleave(size) for kind, size in zip(kinds, sizes, strict=True)])

    def rank(self, inputs: Mapping[str, Tensor], goals: Tensor) -> None:
        """Learns the ranks of words from training rows and what is to be answered to them, (rows,)."""
        for name, marks in self.named_buffers():
            if not marks.is_floating_point():
                marks.copy_(ranks_of(inputs[name], marks.shape[1], goals))


def binned(values: Tensor, marks: Tensor) -> Tensor:
    """Numbers (rows, columns) to 1 and how many edges each has reached, 0 for a gap; codes to themselves, and ranks."""
    if values.is_floating_point():
        reached = torch.searchsorted(marks, values.T.contiguous(), right=True) + 1
        return reached.masked_fill(values.T.isnan(), 0).byte()
    codes = values.T
    ranks = marks.gather(1, codes.masked_fill(codes >= marks.shape[1], 0))
    return torch.cat([codes.masked_fill(codes > MOST_BINS, 0).byte(), ranks])


def ranks_of(codes: Tensor, words: int, goals: Tensor) -> Tensor:
    """The words of each column in the order of the mean goal of their rows: (columns, words) uint8, from 1 on.

    codes: (rows, columns) int64; goals: (rows,). Words of few rows, whose mean would tell these rows' own goals, count
    as the mean of all.
    """
    ranks = []
    for its_codes in codes.T:
        counts = its_codes.bincount(minlength=words)
        means = its_codes.bincount(goals, words) / counts
        means = torch.where(counts < FEWEST_RANKED, goals.mean(), means)
        place = means.unique(return_inverse=True)[1]
        ranks.append(place * (MOST_BINS - 1) // place.max().clamp_min(MOST_BINS - 1) + 1)
    return torch.stack(ranks).byte()


def bins_of(inputs: Mapping[str, Tensor], names: Sequence[str], most: int) -> Bins:
    """Bins of the named kinds, with about equally many training rows each, or one value where there are few."""
    return Bins(
        {
            name: edges_of(inputs[name], most)
            if inputs[name].is_floating_point()
            else torch.zeros(inputs[name].shape[1], int(inputs[name].max()) + 1, dtype=torch.uint8)
            for name in names
        }
    )


def edges_of(values: Tensor, most: int) -> Tensor:
    """Where the bins of numbers (rows, columns) begin, but for the first: (columns, at most `most` - 1) float64."""
    edges = []
    for cells in values[:: math.ceil(len(values) / MANY_ROWS)].T:
        known = cells[~cells.isnan()].sort().values
        different = known.unique()
        between = (different[1:] + different[:-1]) / 2
        if len(between) >= most:
            by_rows = known[torch.arange(1, most) * len(known) // most].unique()
            spare = most - 1 - len(by_rows)  # where many rows share a value: its bins go to the rarer values
            by_values = between[torch.arange(1, spare + 1) * len(between) // (spare + 1)]
            between = torch.cat([by_rows, by_values]).unique()
        edges.append(between)
    longest = max(map(len, edges))
    return torch.stack([F.pad(each, (0, longest - len(each)), value=LARGEST) for each in edges])


class Forest(nn.Module):
    """The sum of what a member's trees say: a (rows, columns) tensor a kind to (members, rows, outputs) float32.

    column, first, last: (members, trees, questions), each asks whether first <= bin of the column <= last.
    leaves: (members, trees, 2**questions, outputs), all 0 until grown. Of two classes only the second has numbers.
    """

    at_once = 4096  # rows, so that what trees see lies near the processor

    def __init__(self, bins: Bins, members: int, trees: int, questions: int, outputs: int) -> None:
        super().__init__()
        self.bins, self.outputs = bins, outputs
        self.column = nn.Buffer(torch.zeros(members, trees, questions, dtype=torch.int64))
        self.first = nn.Buffer(torch.zeros(members, trees, questions, dtype=torch.uint8))
        self.last = nn.Buffer(torch.zeros(members, trees, questions, dtype=torch.uint8))
        columns = 1 if outputs == 2 else outputs
        self.leaves = nn.Parameter(torch.zeros(members, trees, 2**questions, columns))
        self.start = nn.Parameter(torch.zeros(members, 1, columns))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        bins = self.bins(inputs)
        answers = self.start + self.said(bins, slice(None))
        return F.pad(answers, (1, 0)) if self.outputs == 2 else answers

    def keep_grown(self) -> None:
        """Leaves out the trees after the last that says anything: they grew after the best epoch, or not at all."""
        says = self.leaves.detach().flatten(2).any(dim=2).any(dim=0)
        grown = 1 + int((says * torch.arange(len(says))).max())
        for name in ("column", "first", "last"):
            setattr(self, name, nn.Buffer(getattr(self, name)[:, :grown].clone()))
        self.leaves = nn.Parameter(self.leaves.detach()[:, :grown].clone())

    def said(self, bins: Tensor, trees: slice) -> Tensor:
        """The sum of what some of each member's trees say to each row: (members, rows, outputs)."""
        sums = []
        for leaves, *questions in zip(self.leaves, self.column, self.first, self.last, strict=True):
            leaf = leaf_numbers(bins, *(question[trees] for question in questions))
            if leaves.shape[2] == 1:  # quicker than the way of many outputs
                sums.append(leaves[trees].squeeze(2).gather(1, leaf.long()).sum(0).unsqueeze(1))
                continue
            place = leaf + leaves.shape[1] * torch.arange(len(leaf), dtype=torch.int32).unsqueeze(1)
            sums.append(F.embedding_bag(place.T.contiguous(), leaves[trees].flatten(0, 1), mode="sum"))
        return torch.stack(sums)


def leaf_numbers(bins: Tensor, column: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """The leaf that each tree, (trees, questions), finds for each row: its answers as binary digits, (trees, rows)."""
    leaf = torch.zeros(len(column), bins.shape[1], dtype=torch.uint8)
    for asked, low, span in zip(column.T, first.T.unsqueeze(2), (last - first).T.unsqueeze(2), strict=True):
        seen = bins.index_select(0, asked).sub_(low)  # a byte below 0 is one above all others
        yes = seen <= span.expand_as(seen).contiguous()  # like shapes are compared much faster
        leaf.add_(leaf).bitwise_or_(yes.view(torch.uint8))
    return leaf


def best_questions(bins: Tensor, ordered: Tensor, errors: Tensor, questions: int, decay: float) -> tuple[Tensor, ...]:
    """The questions of a tree for each member, and the leaf of each row.

    bins: (columns, rows) int64; errors: (members, 1 + k, rows): how much a row counts, and its errors. After each
    question as much of the errors as possible shall be explained by which leaf a row is in, every leaf giving the mean
    of its rows' errors, drawn towards 0. Returns column, first, last (members, questions) and leaf (members, rows).
    """
    members, stats, rows = errors.shape
    columns, size = len(bins), int(bins.max()) + 1
    leaf = torch.zeros(members, rows, dtype=torch.int64)
    places = bins.repeat(members, 1, 1)  # of each row among the bins of all leaves
    found: list[Tensor] = []
    for depth in range(questions):
        sums = torch.zeros(members, stats, columns, 2**depth * size).scatter_add_(
            3, places.unsqueeze(1).expand(-1, stats, -1, -1), errors.unsqueeze(2).expand(-1, -1, columns, -1)
        )
        sums = sums.unflatten(3, (2**depth, size))
        upto = sums.cumsum(dim=4)
        one = torch.where(ordered.view(-1, 1, 1), upto, sums)  # the rows on one side of each question
        other = upto[..., -1:] - one
        explained = explained_apart(one, decay) + explained_apart(other, decay)
        best = explained.sum(2).flatten(1).argmax(dim=1)  # over columns and bins
        column, place = best // size, best % size
        first = torch.where(ordered[column], (place + 1).clamp_max(size - 1), place)
        last = torch.where(ordered[column], size - 1, place)
        seen = bins[column]
        further = leaf + ((seen >= first.unsqueeze(1)) & (seen <= last.unsqueeze(1)))
        places += (further * size).unsqueeze(1)
        leaf = leaf + further  # twice itself, and one more where the answer is yes
        found += [column, first, last]
    return *(torch.stack(found[which::3], dim=1) for which in range(3)), leaf


def explained_apart(sums: Tensor, decay: float) -> Tensor:
    """How much of their errors groups of rows explain by their means: (members, ...); `sums` is used up.

    sums: (members, 1 + k, ...), how much the rows of a group count, and their errors.
    """
    return sums[:, 1:].square_().div_(sums[:, :1].add_(decay)).sum(1)


def by_leaf(values: Tensor, leaf: Tensor, leaves: int) -> Tensor:
    """The sums of values (members, rows, k) over the rows of each leaf: (members, leaves, k)."""
    places = leaf.unsqueeze(2).expand_as(values)
    return torch.zeros(len(values), leaves, values.shape[2]).scatter_add_(1, places, values)


def beyond_chance(errors: Tensor, bends: Tensor, chance: Tensor) -> Tensor:
    """The share of what leaves explain that chance alone would not: 0 to 1, (members, 1, outputs).

    errors, bends: of all rows of a leaf, (members, leaves, outputs); chance: what a leaf of random rows would explain,
    (members, 1, outputs). Source: the estimator of James and Stein 1961.
    """
    explained = (errors.square() / bends.clamp_min(SMALLEST)).sum(1, keepdim=True)
    by_chance = chance * (bends > 0).sum(1, keepdim=True)
    return 1 - (by_chance / explained.clamp_min(SMALLEST)).clamp(0, 1)


def grow_tree(
    model: Forest, tree: int, bins: Tensor, ordered: Tensor, weights: Tensor, errors: Tensor, bends: Tensor,
    rate: float, share: float, decay: float, cautious: bool,
) -> Tensor:  # fmt: skip
    """Puts a tree of each member into its place; returns what it adds to the answers: (members, rows, outputs).

    bins: (columns, rows) int64; weights: how much a row counts, (members, rows, 1); errors, bends: first and second
    derivative of its loss, likewise. A leaf takes a step of Newton's method on the loss of its rows, times the rate.
    """
    told = errors
    if errors.shape[2] > SKETCHED:
        told = errors @ (torch.randn(errors.shape[2], SKETCHED) / SKETCHED**0.5)
    chosen = torch.randperm(len(bins))[: max(1, round(share * len(bins)))]
    stats = torch.cat([weights, told], dim=2).mT.contiguous()
    asked_about, leaves, questions = bins[chosen], model.leaves.shape[2], model.column.shape[2]
    sums = stats.shape[1] * len(chosen) * (int(asked_about.max()) + 1) * leaves // 2  # a member's, at the last question
    found = [
        best_questions(asked_about, ordered[chosen], some, questions, decay)
        for some in stats.split(max(1, SUMS_AT_ONCE // sums))
    ]
    column, first, last, leaf = (torch.cat(each) for each in zip(*found, strict=True))
    pull = decay * bends.mean()
    leaf_errors, leaf_bends = by_leaf(errors, leaf, leaves), by_leaf(bends, leaf, leaves)
    step = rate * leaf_errors / (leaf_bends + pull)
    if cautious:
        chance = errors.square().sum(1, keepdim=True) / bends.sum(1, keepdim=True)
        step *= beyond_chance(leaf_errors, leaf_bends, chance)
    model.column[:, tree], model.first[:, tree], model.last[:, tree] = chosen[column], first, last
    with torch.no_grad():
        model.leaves[:, tree] = step
    return step.gather(1, leaf.unsqueeze(2).expand(-1, -1, step.shape[2]))


def keep_freed_memory() -> None:
    """Lets the C library keep what is freed for what comes next: trees need much for moments, and grow faster so.

    It gives blocks larger than any that was freed before back to the system, of 32 MiB at most. Source: glibc,
    mallopt(3), M_MMAP_THRESHOLD.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def fit_forest(
    model: Forest, inputs: dict[str, Tensor], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, rate: float, share: float, decay: float, cautious: bool,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Grows as many trees in every epoch, each on a share of the columns chosen by chance; yields as `fit_members`.

    Of many classes the errors are multiplied by random numbers first, which keeps most of what tells rows apart.
    Source: SketchBoost, Iosipoi and Vakhrushev 2022.
    """
    keep_freed_memory()
    classes = not targets.is_floating_point()
    model.bins.rank(inputs, (targets == targets.mode().values if classes else targets).double())
    bins, ordered = model.bins(inputs), model.bins.ordered()
    goals = goals_of(targets, model.outputs)
    weights = learns.unsqueeze(2)
    with torch.no_grad():
        mean = (weights * goals).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
        if classes:
            mean = mean.clamp(1e-4, 1 - 1e-4)
            mean = torch.logit(mean) if model.outputs == 2 else mean.log()
        model.start.copy_(mean)
    answers = mean.repeat(1, len(targets), 1)
    trees = model.leaves.shape[1] // epochs
    for epoch in range(1, epochs + 1):
        new = slice((epoch - 1) * trees, epoch * trees)
        taught = torch.randperm(len(targets))[:MOST_GROWN].sort().values
        its_bins, its_goals, its_weights = bins[:, taught].long(), goals[taught], weights[:, taught]
        its_answers = answers[:, taught]
        for tree in range(new.start, new.stop):
            guesses = as_goals(its_answers, classes)
            errors = (its_goals - guesses) * its_weights
            bends = (guesses * (1 - guesses) if classes else torch.ones_like(guesses)) * its_weights
            its_answers = its_answers + grow_tree(
                model, tree, its_bins, ordered, its_weights, errors, bends, rate, share, decay, cautious
            )
        with torch.no_grad():
            said = [model.said(block, new) for block in bins.split(model.at_once, dim=1)]
        answers = answers + torch.cat(said, dim=1)
        losses = losses_of(F.pad(answers, (1, 0)) if model.outputs == 2 else answers, targets)
        yield epoch, weighted_mean(losses, learns), weighted_mean(losses, 1 - learns)
