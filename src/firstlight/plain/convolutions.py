"""A network over pictures: convolutions that learn shapes (step 2), and how it is fitted (step 3)."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.plain.loop import descent_by_shape
from firstlight.plain.patches import whitening
from firstlight.plain.pixels import pixels_of

PATTERNS_SEEN = 24  # by the first layer, each with its opposite
SMOOTHING = 0.1  # of the labels: share that is spread over all classes
PICTURES_ANSWERED = 256  # at once, so that memory stays bounded
GROWING = 0.4  # of the steps, in which pictures are smaller


def pictures_of(rows: pl.DataFrame, columns: Sequence[str], height: int, width: int) -> Tensor:
    """The pictures of each row in one size: (rows, pictures, height, width, channels) uint8; black where there is none.

    Grey pictures beside ones in colour become coloured. Larger ones are averaged down, block by block.
    """
    found = [torch.from_numpy(pixels_of(rows[name]).copy()) for name in columns]
    channels = max(pixels.shape[3] for pixels in found)
    sized = [resized(pixels.expand(-1, -1, -1, channels), height, width) for pixels in found]
    return torch.stack(sized, dim=1)


def resized(pixels: Tensor, height: int, width: int) -> Tensor:
    """Pictures (rows, height, width, channels) uint8 in another size, each new pixel the mean of those it covers."""
    if pixels.shape[1:3] == (height, width):
        return pixels
    blocks = [
        F.adaptive_avg_pool2d(block.permute(0, 3, 1, 2).float(), (height, width)).round().byte().permute(0, 2, 3, 1)
        for block in pixels.split(512)
    ]
    return torch.cat(blocks)


def step_of(patch: int) -> int:
    """Pixels from one patch that the first layer sees to the next."""
    return max(1, patch // 2)


class Stage(nn.Module):
    """Half the size, more channels: a convolution, the strongest of each four places, and one more convolution.

    (rows, inputs, height, width) to (rows, outputs, height / 2, width / 2).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.widened = nn.BatchNorm2d(outputs)
        self.refine = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.refined = nn.BatchNorm2d(outputs)

    def forward(self, signal: Tensor) -> Tensor:
        signal = F.max_pool2d(self.widen(signal), 2, ceil_mode=True)
        signal = F.relu(self.widened(signal))
        return signal + F.relu(self.refined(self.refine(signal)))


class Eye(nn.Module):
    """One network over pictures: (pictures, channels, height, width) float32 from 0 to 1 to (pictures, features).

    patch: pixels a side that the first layer sees at once; it is not learned, but made by `whitening`.
    width: channels of the first stage; each later one has twice as many, up to four times.
    """

    def __init__(self, channels: int, patch: int, width: int, stages: int) -> None:
        super().__init__()
        patterns = min(PATTERNS_SEEN, channels * patch**2)
        self.patch = patch
        self.filters = nn.Buffer(torch.zeros(patterns, channels, patch, patch))
        self.bias = nn.Buffer(torch.zeros(patterns))
        widths = [2 * patterns, *(width * min(2**stage, 4) for stage in range(stages))]
        self.stages = nn.Sequential(*(Stage(*pair) for pair in pairwise(widths)))
        self.features = 2 * widths[-1]

    def forward(self, pictures: Tensor) -> Tensor:
        seen = F.conv2d(pictures, self.filters, self.bias, stride=step_of(self.patch), padding=(self.patch - 1) // 2)
        both = torch.cat([seen, -seen], dim=1).relu()
        signal = self.stages(both.contiguous(memory_format=torch.channels_last))  # quicker, a pixel after the other
        return torch.cat([signal.mean(dim=(2, 3)), signal.amax(dim=(2, 3))], dim=1).float()


class Pictures(nn.Module):
    """Networks side by side over the same pictures: (rows, pictures, h, w, channels) to (members, rows, outputs).

    view: under which name the inputs hold them. eyes: one a member, each from pictures (pictures, channels, height,
    width) float32 from 0 to 1 to as many `features`. mirror: whether a picture and its mirror image are the same. half:
    whether convolutions are done in bfloat16.
    """

    def __init__(
        self, view: str, eyes: Sequence[nn.Module], pictures: int, outputs: int, mirror: bool, half: bool
    ) -> None:
        super().__init__()
        self.view, self.mirror, self.in_half = view, mirror, half
        self.eyes = nn.ModuleList(eyes)
        features = pictures * int(self.eyes[0].features)  # type: ignore[arg-type]
        self.outputs = nn.ModuleList(nn.Linear(features, outputs) for _ in eyes)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return torch.cat([self.answers(block) for block in inputs[self.view].split(PICTURES_ANSWERED)], dim=1)

    def answers(self, pictures: Tensor) -> Tensor:
        """What the members answer to pictures (rows, pictures, height, width, channels) uint8."""
        pixels = pictures.permute(0, 1, 4, 2, 3).float() / 255
        answers = self.read(pixels)
        return (answers + self.read(pixels.flip(4))) / 2 if self.mirror else answers

    def read(self, pictures: Tensor) -> Tensor:
        """What the members answer to pictures (rows, pictures, channels, height, width) float32."""
        flat = pictures.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.in_half):
            features = [eye(flat).unflatten(0, pictures.shape[:2]).flatten(1) for eye in self.eyes]
        return torch.stack([output(each) for output, each in zip(self.outputs, features, strict=True)])


def network_for_pictures(
    view: str, pictures: Tensor, members: int, patch: int, width: int, stages: int, outputs: int, mirror: bool,
    half: bool,
) -> Pictures:  # fmt: skip
    """A network as it is born, its first layer made from training pictures (rows, pictures, h, w, channels) uint8."""
    eyes = [Eye(pictures.shape[4], patch, width, stages) for _ in range(members)]
    filters, bias = whitening(pictures, patch, PATTERNS_SEEN)
    for eye in eyes:
        eye.load_state_dict({**eye.state_dict(), "filters": filters, "bias": bias})
    return Pictures(view, eyes, pictures.shape[1], outputs, mirror, half)


def varied_pictures(pictures: Tensor, height: int, width: int, moved: float, zoomed: float, mirror: bool) -> Tensor:
    """A batch as it might have been taken: moved a little, nearer, mirrored, lighter or darker.

    pictures: (rows, pictures, h, w, channels) uint8; to (rows, pictures, channels, height, width) float32 from 0 to 1.
    moved: share of a side by which each is moved at most, its edge mirrored. zoomed: share of a side that is cut off at
    most, and by how much light may change.
    """
    rows, _, high, wide, _ = pictures.shape
    flat = pictures.permute(0, 2, 3, 1, 4).flatten(3)  # (rows, h, w, pictures * channels)
    share = 1 - zoomed * torch.rand(()).item()
    window = (round(high * share), round(wide * share))
    places = []
    for size, part in zip((high, wide), window, strict=True):
        reach = size - part + 2 * round(moved * size)
        start = torch.randint(reach + 1, (rows, 1)) - round(moved * size)
        place = (start + torch.arange(part)).abs()
        places.append((size - 1) - ((size - 1) - place).abs())
    if mirror:
        flipped = torch.rand(rows, 1) < 0.5
        places[1] = torch.where(flipped, places[1].flip(1), places[1])
    cut = flat[torch.arange(rows).view(-1, 1, 1), places[0].unsqueeze(2), places[1].unsqueeze(1)]
    varied = cut.permute(0, 3, 1, 2).float() / 255
    if varied.shape[2:] != (height, width):
        varied = F.interpolate(varied, (height, width), mode="bilinear", antialias=True)
    if zoomed:
        light, contrast = (1 + zoomed * (torch.rand(rows, 1, 1, 1) - 0.5) for _ in range(2))
        varied = (varied * light - 0.5) * contrast + 0.5
    return varied.unflatten(1, (pictures.shape[1], pictures.shape[4]))  # type: ignore[no-any-return]


def fit_pictures(
    model: Pictures, inputs: dict[str, Tensor], targets: Tensor, learns: Tensor,
    losses_of: Callable[[Tensor, Tensor], Tensor], epochs: int, batch: int, rate: float, decay: float, moved: float,
    zoomed: float,
) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Gradient descent over batches that are varied each time, small pictures first; yields as `fit_members`."""
    pictures, rows = inputs[model.view], len(targets)
    high, wide = pictures.shape[2:4]
    optimiser, schedule = descent_by_shape(model, rate, decay, epochs * math.ceil(rows / batch), rising=0.15)
    watched = torch.nonzero((learns == 0).any(dim=0)).flatten()[:2048]  # rows that some member holds out
    held_out = 1 - learns[:, watched]
    for epoch in range(1, epochs + 1):
        model.train()
        share = 0.7 if min(high, wide) >= 64 and epoch <= GROWING * epochs else 1.0
        total = torch.zeros(())
        for chosen in torch.randperm(rows).split(batch):
            varied = varied_pictures(
                pictures[chosen], round(high * share), round(wide * share), moved, zoomed, model.mirror
            )
            outputs = model.read(varied)  # forward
            mask = learns[:, chosen]
            losses = losses_of(outputs, targets[chosen])
            if outputs.shape[2] > 1:
                losses = (1 - SMOOTHING) * losses - SMOOTHING * outputs.log_softmax(dim=2).mean(dim=2)
            loss = (losses * mask).sum() / mask.sum().clamp_min(1)
            optimiser.zero_grad()
            (loss * len(learns)).backward()  # backpropagation: each member gets the gradient of its own loss
            optimiser.step()
            schedule.step()
            total += loss.detach() * len(chosen)
        model.eval()
        with torch.inference_mode():
            blocks = [model({model.view: pictures[block]}) for block in watched.split(256)]
            losses = losses_of(torch.cat(blocks, dim=1), targets[watched])
        yield epoch, total.item() / rows, ((losses * held_out).sum() / held_out.sum()).item()
