"""A network over sequences of bases: convolutions that learn motifs (step 2), and how it is fitted (step 3)."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.bases import PADDING, UNKNOWN, reverse_complement
from firstlight.plain.loop import descent_by_shape
from firstlight.plain.network import MemberLinear

STEM = 11  # bases that the first convolution sees at once
REACH = 5  # bases apart, with the steps between them, that each later one sees
STEPS_BETWEEN = (1, 2, 4)  # of the blocks, one after the other
MOVED = 3  # bases by which a sequence is moved at most, where places mean nothing
MUTATED = 0.02  # share of the bases that are replaced by chance in each batch


class GatedBlock(nn.Module):
    """A dilated convolution with a gate for each value, weighed channel by channel, added to what came in.

    (rows, members * channels, length) to the same; every member is a group of channels of its own.
    known, share: (rows, 1, length) and (rows, length, 1), 0 after the end of a sequence; the shares add up to 1.
    Sources: Dauphin et al. 2017 for the gate, Hu et al. 2018 for the weighing.
    """

    def __init__(self, members: int, channels: int, apart: int) -> None:
        super().__init__()
        wide = members * channels
        self.members, self.channels = members, channels
        self.norm = nn.BatchNorm1d(wide)
        self.convolution = nn.Conv1d(
            wide, 2 * wide, REACH, padding=apart * (REACH // 2), dilation=apart, groups=members
        )
        self.squeeze = nn.Conv1d(wide, wide // 4, 1, groups=members)
        self.excite = nn.Conv1d(wide // 4, wide, 1, groups=members)
        self.scale = nn.Parameter(torch.zeros(1, wide, 1))  # the block is born as if it were not there

    def forward(self, signal: Tensor, known: Tensor, share: Tensor) -> Tensor:
        both = self.convolution(self.norm(signal) * known).unflatten(1, (self.members, 2, self.channels))
        changed = (both[:, :, 0] * both[:, :, 1].sigmoid()).flatten(1, 2)
        weight = self.excite(F.silu(self.squeeze(changed @ share))).sigmoid()
        return torch.addcmul(signal, changed, weight * self.scale.to(weight.dtype))


class Strands(nn.Module):
    """Networks side by side over the same sequences: codes (rows, length) to (members, rows, outputs) float32.

    view: under which name the inputs hold the codes. segments: parts of the sequence that are averaged by themselves.
    placed: whether a place means the same in every sequence, as where all were cut around one point. both: whether a
    sequence and its reverse complement are the same. half: whether convolutions are done in bfloat16.
    """

    def __init__(
        self, view: str, members: int, channels: int, length: int, segments: int, outputs: int, placed: bool,
        both: bool, half: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        wide = members * channels
        self.view, self.members, self.channels, self.both = view, members, channels, both
        self.kind = torch.bfloat16 if half else torch.float32
        self.stem = nn.Conv1d(4, wide, STEM, padding=STEM // 2)
        self.place = nn.Parameter(torch.zeros(1, wide, length)) if placed else None
        self.blocks = nn.ModuleList(GatedBlock(members, channels, apart) for apart in STEPS_BETWEEN)
        self.norm = nn.BatchNorm1d(wide)
        self.look = nn.Conv1d(wide, members, 1, groups=members)  # where attention looks
        place = torch.arange(length, device="cpu") * segments // length
        shares = F.one_hot(place, segments).float() if segments else torch.zeros(length, 0, device="cpu")
        self.averages = nn.Buffer(shares / shares.sum(dim=0), persistent=False)  # (length, segments)
        self.drop = nn.Dropout(0.1)
        self.output = MemberLinear(members, channels * (segments + 3), outputs)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        codes = inputs[self.view]
        if not self.both:
            return self.read(codes)
        if self.training:  # one strand of each sequence, by chance
            return self.read(torch.where(torch.rand(len(codes), 1) < 0.5, reverse_complement(codes), codes))
        return (self.read(codes) + self.read(reverse_complement(codes))) / 2

    def read(self, codes: Tensor) -> Tensor:
        """What the members answer to one strand."""
        bases = (codes.unsqueeze(1) == torch.arange(4, dtype=torch.uint8).unsqueeze(1)).float()  # (rows, 4, length)
        length = (codes != PADDING).sum(dim=1, keepdim=True).clamp_min(1)
        known = (codes != PADDING).unsqueeze(1).to(self.kind)
        share = ((codes != PADDING) / length).unsqueeze(2).to(self.kind)  # of each base in an average
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.kind == torch.bfloat16):
            signal = self.stem(bases)  # (rows, members * channels, length)
            if self.place is not None:
                signal = signal + self.place.to(signal.dtype)
            for block in self.blocks:
                signal = block(signal, known, share)
            signal = F.gelu(self.norm(signal)) * known
            look = self.look(signal).float().masked_fill(known == 0, -1e4).softmax(dim=2)  # (rows, members, length)
            signal = signal.unflatten(1, (self.members, self.channels))  # (rows, members, channels, length)
            pooled = [
                (signal @ self.averages.to(signal.dtype)).flatten(2),
                (signal @ look.to(signal.dtype).unsqueeze(3)).squeeze(3),
                (signal @ share.unsqueeze(1)).squeeze(3),
                signal.amax(dim=3).clamp_min(0),  # as after the end of a shorter sequence
            ]
        return self.output(self.drop(torch.cat(pooled, dim=2).float().transpose(0, 1)))  # type: ignore[no-any-return]


def varied(codes: Tensor, moved: int) -> Tensor:
    """A batch as it might have been: a few bases replaced by others, and each sequence moved a little."""
    replaced = (torch.rand(codes.shape) < MUTATED) & (codes != PADDING)
    codes = torch.where(replaced, torch.randint(0, 4, codes.shape, dtype=torch.uint8), codes)
    if moved == 0:
        return codes
    start = torch.randint(0, 2 * moved + 1, (len(codes), 1))
    return F.pad(codes, (moved, moved), value=UNKNOWN).gather(1, start + torch.arange(codes.shape[1]))


def fit_strands(
    model: Strands, inputs: dict[str, Tensor], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, batch: int, rate: float, decay: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Gradient descent over batches that are varied a little each time; yields as `fit_members`."""
    codes, rows = inputs[model.view], len(targets)
    optimiser, schedule = descent_by_shape(model, rate, decay, epochs * math.ceil(rows / batch), rising=0.1)
    watched = torch.nonzero((learns == 0).any(dim=0)).flatten()[:4096]  # rows that some member holds out
    held_out = 1 - learns[:, watched]
    for epoch in range(1, epochs + 1):
        model.train()
        total = torch.zeros(())
        for chosen in torch.randperm(rows).split(batch):
            outputs = model({model.view: varied(codes[chosen], MOVED if model.both else 0)})  # forward
            mask = learns[:, chosen]
            loss = (losses_of(outputs, targets[chosen]) * mask).sum() / mask.sum().clamp_min(1)
            optimiser.zero_grad()
            (loss * len(learns)).backward()  # backpropagation: each member gets the gradient of its own loss
            nn.utils.clip_grad_norm_(model.parameters(), len(learns) ** 0.5)
            optimiser.step()
            schedule.step()
            total += loss.detach() * len(chosen)
        model.eval()
        with torch.inference_mode():
            blocks = [model({model.view: codes[block]}) for block in watched.split(1024)]
            losses = losses_of(torch.cat(blocks, dim=1), targets[watched])
        yield epoch, total.item() / rows, ((losses * held_out).sum() / held_out.sum()).item()
