"""Pictures to features of a straight line (step 2): how much of each of a few patterns stands in each region.

The patterns are learned from the pictures alone, without their targets: the directions in which small patches differ
most, each made equally strong. Source: Coates, Ng and Lee 2011, "An analysis of single-layer networks in unsupervised
feature learning", for whitened patches, both signs and pooling by regions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH = 5  # pixels a side
PATTERNS = 16  # each of which gives two features a region, for itself and for its opposite
REGIONS = 4  # a side
PATCHES_SEEN = 20_000
COLUMNS = 5  # of numbers, as much as which the features of a picture may say together: they are many, and much alike
FAINT = 1e-3  # added to the variance of a pattern, of pixels from 0 to 1, so that noise is not made strong
NUMBERS_AT_ONCE = 2**24  # that the patterns give at a time, so that memory stays bounded


class Patches(nn.Module):
    """Pictures (rows, pictures, height, width, channels) uint8 to features (rows, width) float64, of one deviation.

    filters: (patterns, channels, side, side), what each pattern is multiplied with. bias: (patterns,).
    mean, scale: of the features of the training rows, (width,) float64.
    """

    def __init__(self, filters: Tensor, bias: Tensor, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.filters = nn.Buffer(filters)
        self.bias = nn.Buffer(bias)
        self.mean = nn.Buffer(mean)
        self.scale = nn.Buffer(scale)
        self.width = len(mean)

    def forward(self, pictures: Tensor) -> Tensor:
        return (regions_of(pictures, self.filters, self.bias) - self.mean) / self.scale


def patches_of(pictures: Tensor) -> Patches:
    """Patterns and the scale of their features, from training pictures (rows, pictures, height, width, channels)."""
    filters, bias = whitening(pictures, PATCH, PATTERNS)
    features = regions_of(pictures, filters, bias)
    deviation = features.std(dim=0, correction=0)
    scale = torch.where(deviation > 1e-6, deviation, 1.0) * (features.shape[1] / COLUMNS) ** 0.5
    return Patches(filters, bias, features.mean(dim=0), scale)


def regions_of(pictures: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
    """How much of each pattern, and of its opposite, stands in each region of each picture: (rows, width) float64."""
    found = []
    numbers = pictures.shape[1:4].numel() * len(filters)  # of a row
    for block in pictures.split(max(1, NUMBERS_AT_ONCE // numbers)):
        signal = F.conv2d(at_least(channels_first(block.flatten(0, 1)), filters.shape[2]), filters, bias)
        both = torch.cat([signal.relu(), (-signal).relu()], dim=1)
        pooled = F.adaptive_avg_pool2d(both, REGIONS).unflatten(0, block.shape[:2])
        found.append(pooled.flatten(1).double())
    return torch.cat(found)


def channels_first(pictures: Tensor) -> Tensor:
    """Pictures (rows, height, width, channels) uint8 as (rows, channels, height, width) float32 from 0 to 1."""
    return pictures.permute(0, 3, 1, 2).float() / 255


def at_least(signal: Tensor, side: int) -> Tensor:
    """The same with zeros to the right and below where it is less than `side` pixels high or wide."""
    height, width = signal.shape[2:]
    return F.pad(signal, (0, max(0, side - width), 0, max(0, side - height)))


def whitening(pictures: Tensor, side: int, patterns: int) -> tuple[Tensor, Tensor]:
    """Filters (patterns, channels, side, side) and biases whose sums over patches are not correlated, of deviation 1.

    pictures: (rows, pictures, height, width, channels) uint8. There are at most as many patterns as numbers in a patch.
    """
    chance = torch.Generator().manual_seed(0)
    flat = pictures.flatten(0, 1)
    chosen = flat[torch.randperm(len(flat), generator=chance)[:PATCHES_SEEN]]
    signal = at_least(channels_first(chosen), side)
    times = max(1, PATCHES_SEEN // len(signal))
    place = [torch.randint(size - side + 1, (times * len(signal),), generator=chance) for size in signal.shape[2:]]
    rows = torch.arange(len(signal)).repeat(times)
    steps = torch.arange(side)
    down, along = (place[0].unsqueeze(1) + steps).unsqueeze(2), (place[1].unsqueeze(1) + steps).unsqueeze(1)
    patches = signal.permute(0, 2, 3, 1)[rows.view(-1, 1, 1), down, along]  # (patches, side, side, channels)
    values = patches.permute(0, 3, 1, 2).flatten(1).double()
    mean = values.mean(dim=0)
    variance, directions = torch.linalg.eigh((values - mean).T @ (values - mean) / len(values))
    variance, directions = variance.flip(0)[:patterns], directions.flip(1)[:, :patterns]  # the strongest first
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    filters = (directions * largest.sign() / (variance + FAINT).sqrt()).T  # either sign would do: one is chosen
    return filters.float().view(-1, signal.shape[1], side, side), -(filters @ mean).float()
