"""Step 1, prepare: which pictures, and which videos, look nearly the same.

A picture is made small and grey, and of each two neighbours on a row it is noted which is brighter: 256 bits that stay
nearly the same when a picture is resized, compressed or made lighter. Two pictures are compared only where some stretch
of these bits agrees. Source: Krawetz 2013, "Kind of like that", for the difference hash.
"""

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from firstlight.plain.likeness import kin_without_crowds
from firstlight.plain.pixels import pixels_of
from firstlight.plain.split import linked

SIDE = 16  # bits of a row, and rows
FAR_APART = 20  # of the 256 bits, from which on two pictures are not the same
LIKE_GREYS = 12.0  # root of the mean squared difference of small pictures, of 255, up to which they may be the same
STRETCH = 16  # bits in a row that agree before two pictures are compared
NEIGHBOURS = 4  # with the same stretch that each picture is compared with
LARGEST_STRETCH = 50  # pictures with the same stretch, beyond which it says nothing
FLAT = 6.0  # deviation of the greys of a picture, of 255, below which nothing can be told of it
MIXED = 0x9E3779B97F4A7C15 - 2**64  # an odd number, whose powers have little in common
PICTURES_HASHED = 256  # at a time, so that memory stays bounded
PAIRS_COMPARED = 65_536  # likewise


def like_pictures(cells: pl.Series) -> Tensor:
    """The same number for pictures that are the same or nearly so, the row of the first of them: (rows,) int64.

    A gap and a picture of one colour are like no others.
    """
    return kin_by_looks(pixels_of(cells)[:, None])


def like_videos(cells: pl.Series) -> Tensor:
    """The same for videos: the first, the middle and the last frame look the same."""
    frames = pixels_of(cells)
    chosen = sorted({0, frames.shape[1] // 2, frames.shape[1] - 1})
    return kin_by_looks(frames[:, chosen])


def kin_by_looks(pictures: NDArray[np.uint8]) -> Tensor:
    """Kin by what they look like; pictures: (rows, pictures of each, height, width, channels)."""
    rows = len(pictures)
    small = torch.cat(
        [small_greys(pictures[start : start + PICTURES_HASHED]) for start in range(0, rows, PICTURES_HASHED)]
        or [torch.zeros(0, 1, SIDE, SIDE + 1)]
    )
    bits = (small[:, :, :, 1:] > small[:, :, :, :-1]).flatten(1)
    known = small.flatten(1).std(dim=1) >= FLAT
    pairs = pairs_that_agree(bits, known)
    greys = small.flatten(1)
    light = greys - greys.mean(dim=1, keepdim=True)  # a picture that is lighter as a whole is the same
    near = [torch.zeros(2, 0, dtype=torch.int64)]
    for block in pairs.split(PAIRS_COMPARED, dim=1):
        one, other = block
        apart = (bits[one] != bits[other]).sum(dim=1) / small.shape[1]
        unlike = (light[one] - light[other]).square().mean(dim=1).sqrt()
        near.append(block[:, (apart < FAR_APART) & (unlike < LIKE_GREYS)])
    return kin_without_crowds(linked(rows, torch.cat(near, dim=1)), 0.02)


def small_greys(pictures: NDArray[np.uint8]) -> Tensor:
    """Pictures (rows, pictures, height, width, channels) as small grey ones: (rows, pictures, 16, 17) float32."""
    block = torch.from_numpy(pictures.astype(np.float32))
    grey = block.mean(dim=4)
    small: Tensor = F.adaptive_avg_pool2d(grey, (SIDE, SIDE + 1))
    return small


def pairs_that_agree(bits: Tensor, known: Tensor) -> Tensor:
    """Pairs of rows whose bits agree in some whole stretch: (2, pairs) int64; bits: (rows, bits), known: (rows,).

    To find them, rows are put in the order of each stretch in turn, and compared with the next few behind them.
    """
    found = [torch.zeros(2, 0, dtype=torch.int64)]
    powers = 2 ** torch.arange(STRETCH)
    rows = torch.nonzero(known).flatten()
    codes = (bits[rows].unflatten(1, (-1, STRETCH)) * powers).sum(dim=2)
    for code in codes.unbind(dim=1):
        order = torch.argsort(code, stable=True)
        _, which, sizes = code.unique(return_inverse=True, return_counts=True)
        crowded = sizes[which] > LARGEST_STRETCH
        flat = (code == 0) | (code == 2**STRETCH - 1)  # as in any picture where nothing is
        order = order[~(crowded | flat)[order]]
        for apart in range(1, NEIGHBOURS + 1):
            one, other = order[:-apart], order[apart:]
            agree = code[one] == code[other]
            found.append(rows[torch.stack([one[agree], other[agree]])])
    whole = (codes * (MIXED ** torch.arange(codes.shape[1]))).sum(dim=1)  # wraps around: nearly a name of all bits
    order = torch.argsort(whole, stable=True)
    alike = whole[order[:-1]] == whole[order[1:]]
    found.append(rows[torch.stack([order[:-1][alike], order[1:][alike]])])
    one, other = torch.cat(found, dim=1)
    numbers = (one * len(bits) + other).unique()  # each pair once
    return torch.stack([numbers // max(1, len(bits)), numbers % max(1, len(bits))])
