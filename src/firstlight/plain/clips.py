"""A network over videos that sees motion: convolutions with a view of neighbouring frames (step 2), and its fit (3)."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.loop import descent_by_shape
from firstlight.plain.network import MemberLinear
from firstlight.plain.pixels import pixels_of

SHIFTED = 8  # one in so many channels comes from the frame before, and one from the frame after
CHANGE = 2.0  # times as strong as a frame is what changes until the next
CLIPS_ANSWERED = 16  # at once, so that memory stays bounded
COARSE = 4  # pixels from one place of the first convolution to the next


def clips_of(rows: pl.DataFrame, columns: Sequence[str]) -> Tensor:
    """The videos of each row: (rows, videos, frames, height, width, 3) uint8; black where there is a gap."""
    videos = [torch.from_numpy(np.require(pixels_of(rows[name]), requirements="W")) for name in columns]
    return torch.stack(videos, dim=1) if len(videos) > 1 else videos[0].unsqueeze(1)


def motion_pictures(rows: pl.DataFrame, columns: Sequence[str]) -> Tensor:
    """Two pictures of each video, its mean frame and the mean size of the change from one frame to the next.

    (rows, 2 * videos, height, width, 3) uint8.
    """
    pictures = []
    for block in clips_of(rows, columns).split(64):
        clips = block.short()
        changes = (clips[:, :, 1:] - clips[:, :, :-1]).abs().float().mean(dim=2)
        pictures.append(torch.stack([clips.float().mean(dim=2), changes], dim=2).round().byte().flatten(1, 2))
    return torch.cat(pictures)


def shifted_in_time(signal: Tensor, frames: int) -> Tensor:
    """The same signal with some channels of the frame before and some of the frame after, zero where there is none.

    signal: (clips * frames, channels, height, width). Source: Lin, Gan and Han 2019, "TSM".
    """
    some = signal.shape[1] // SHIFTED
    shifted = signal.clone()
    clips, moved = signal.unflatten(0, (-1, frames)), shifted.unflatten(0, (-1, frames))
    moved[:, 1:, :some] = clips[:, :-1, :some]
    moved[:, 0, :some] = 0
    moved[:, :-1, some : 2 * some] = clips[:, 1:, some : 2 * some]
    moved[:, -1, some : 2 * some] = 0
    return shifted


def changes_in_time(signal: Tensor, frames: int) -> Tensor:
    """What changes until the next frame; the last one changes as the one before it, a single one not at all.

    signal: (clips * frames, channels, height, width).
    """
    changes = torch.zeros_like(signal)
    clips, change = signal.unflatten(0, (-1, frames)), changes.unflatten(0, (-1, frames))
    change[:, :-1] = clips[:, 1:] - clips[:, :-1]
    change[:, -1:] = clips[:, -1:] - clips[:, -2:-1] if frames > 1 else 0
    return changes


class ShiftedBlock(nn.Module):
    """Two convolutions over frames that see their neighbours in time, added to what came in.

    (clips * frames, channels, height, width) to the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.scale = nn.Parameter(torch.zeros(1, channels, 1, 1))  # the block is born as if it were not there

    def forward(self, signal: Tensor, frames: int) -> Tensor:
        changed = self.second(F.gelu(self.first(shifted_in_time(self.norm(signal), frames))))
        return torch.addcmul(signal, changed, self.scale)


class ClipReader(nn.Module):
    """One member: frames (clips, frames, 3, height, width) float32 to features (clips, width).

    Half of what the first convolution finds is taken as it is, of the other half what changes until the next frame.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 2 * channels, 5, stride=COARSE, padding=2)
        self.fine = ShiftedBlock(channels)
        self.wider = nn.Conv2d(channels, 2 * channels, 1)
        self.coarse = ShiftedBlock(2 * channels)
        self.norm = nn.BatchNorm2d(2 * channels)
        self.width = 8 * channels

    def forward(self, clips: Tensor) -> Tensor:
        frames = clips.shape[1]
        still, moving = self.stem(clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)).chunk(2, dim=1)
        signal = still + CHANGE * changes_in_time(moving, frames)
        signal = F.max_pool2d(self.fine(F.gelu(signal), frames), 2)
        signal = F.gelu(self.norm(self.coarse(self.wider(signal), frames)))
        places = [signal.mean(dim=(2, 3)), signal.amax(dim=(2, 3))]  # (clips * frames, 2 * channels) each
        times = torch.cat(places, dim=1).unflatten(0, (-1, frames))
        return torch.cat([times.mean(dim=1), times.amax(dim=1)], dim=1)


class Clips(nn.Module):
    """Networks side by side over the same videos: (rows, videos, frames, h, w, 3) uint8 to (members, rows, outputs).

    view: under which name the inputs hold the videos; there are `videos` of them a row. shape: frames, height and
    width that are read of each, from its middle where it is larger. half: whether convolutions are done in bfloat16.
    """

    def __init__(
        self, view: str, members: int, channels: int, videos: int, shape: tuple[int, int, int], outputs: int,
        half: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.view, self.shape, self.in_half = view, shape, half
        self.readers = nn.ModuleList(ClipReader(channels) for _ in range(members))
        self.drop = nn.Dropout(0.5)
        self.output = MemberLinear(members, videos * 8 * channels, outputs)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        at_once = len(inputs[self.view]) if self.training else CLIPS_ANSWERED
        return torch.cat([self.answers(block) for block in inputs[self.view].split(max(1, at_once))], dim=1)

    def answers(self, clips: Tensor) -> Tensor:
        """What the members answer to clips (rows, videos, frames, height, width, 3) uint8."""
        seen = centred(clips, self.shape).flatten(0, 1).permute(0, 1, 4, 2, 3).float().sub_(128).div_(64)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.in_half):
            read = [reader(seen).float().unflatten(0, clips.shape[:2]).flatten(1) for reader in self.readers]
        return self.output(self.drop(torch.stack(read)))  # type: ignore[no-any-return]


def centred(clips: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The middle of clips (rows, videos, frames, height, width, 3), in time and in space."""
    starts = [(whole - part) // 2 for whole, part in zip(clips.shape[2:5], shape, strict=True)]
    return window_of(clips, starts, shape)


def window_of(clips: Tensor, starts: list[int], shape: tuple[int, int, int]) -> Tensor:
    """A part of clips (rows, videos, frames, height, width, 3): so many frames, rows and columns of pixels."""
    for axis, (start, length) in enumerate(zip(starts, shape, strict=True), start=2):
        clips = clips.narrow(axis, start, length)
    return clips


def jittered(clips: Tensor, shape: tuple[int, int, int], mirror: bool) -> Tensor:
    """Of each row a part by chance, in time and in space, and where it may be, mirrored by chance."""
    room = [whole - part for whole, part in zip(clips.shape[2:5], shape, strict=True)]
    starts = torch.stack([torch.randint(0, free + 1, (len(clips),)) for free in room], dim=1).tolist()
    flipped = (torch.rand(len(clips)) < 0.5).tolist()
    parts = [
        window_of(clip.unsqueeze(0), start, shape).flip(4)
        if mirror and flip
        else window_of(clip.unsqueeze(0), start, shape)
        for clip, start, flip in zip(clips, starts, flipped, strict=True)
    ]
    return torch.cat(parts)


def fit_clips(
    model: Clips, inputs: dict[str, Tensor], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, batch: int, rate: float, decay: float, mirror: bool,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Gradient descent over batches of parts of clips, other parts each time; yields as `fit_members`."""
    clips, rows = inputs[model.view], len(targets)
    optimiser, schedule = descent_by_shape(model, rate, decay, epochs * math.ceil(rows / batch), rising=0.2)
    watched = torch.nonzero((learns == 0).any(dim=0)).flatten()[:512]  # rows that some member holds out
    held_out = 1 - learns[:, watched]
    for epoch in range(1, epochs + 1):
        model.train()
        total = torch.zeros(())
        for chosen in torch.randperm(rows).split(batch):
            outputs = model({model.view: jittered(clips[chosen], model.shape, mirror)})  # forward
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
            blocks = [model({model.view: clips[block]}) for block in watched.split(64)]
            losses = losses_of(torch.cat(blocks, dim=1), targets[watched])
        yield epoch, total.item() / rows, ((losses * held_out).sum() / held_out.sum()).item()
