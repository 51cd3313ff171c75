"""Pictures and videos that look nearly the same belong together, and no others do."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from firstlight.plain.like_pictures import like_pictures, like_videos
from firstlight.plan.splitting import apply_split, choose_split, notes_on_kin

SIDE = 64
Change: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def scene(seed: int) -> NDArray[np.uint8]:
    """A picture with light and dark places, as photographs have."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.array(picture.filter(ImageFilter.GaussianBlur(1)), dtype=np.uint8)


SCENES = np.stack([scene(seed) for seed in range(40)])


def compressed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=40)
    return np.array(Image.open(stream), dtype=np.uint8)


def smaller(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array(Image.fromarray(pixels).resize((48, 48)).resize((SIDE, SIDE)), dtype=np.uint8)


def lighter(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lit: NDArray[np.uint8] = np.clip(pixels.astype(int) + 15, 0, 255).astype(np.uint8)
    return lit


@pytest.mark.parametrize("change", [np.copy, compressed, smaller, lighter])
def test_copies_that_were_changed_a_little_are_found(change: Change) -> None:
    copies = np.stack([change(pixels) for pixels in SCENES])
    kin = like_pictures(pl.Series(np.concatenate([SCENES, copies])))
    assert (kin[40:] == torch.arange(40)).float().mean() > 0.9


@pytest.mark.parametrize("change", [lambda pixels: pixels[:, ::-1], lambda pixels: 255 - pixels])
def test_other_pictures_are_not(change: Change) -> None:
    others = np.stack([change(pixels) for pixels in SCENES])
    assert torch.equal(like_pictures(pl.Series(np.concatenate([SCENES, others]))), torch.arange(80))


def test_gaps_and_pictures_of_one_colour_are_like_no_others() -> None:
    flat = np.full((6, SIDE, SIDE, 3), 90, np.uint8)
    assert torch.equal(like_pictures(pl.Series(flat)), torch.arange(6))
    gaps = pl.Series([None] * 3, dtype=pl.Array(pl.UInt8, (SIDE, SIDE, 3)))
    assert torch.equal(like_pictures(gaps), torch.arange(3))


def test_videos_are_alike_where_their_frames_are() -> None:
    clips = np.stack([SCENES[:5], SCENES[5:10], SCENES[:5], np.concatenate([SCENES[:3], SCENES[10:12]])])
    assert like_videos(pl.Series(clips)).tolist() == [0, 1, 0, 3]


def table() -> pl.DataFrame:
    """Forty scenes, five of which stand in it twice."""
    pixels = np.concatenate([SCENES, np.stack([compressed(each) for each in SCENES[:5]])])
    labels = ["a", "b"] * 20 + ["a", "b", "a", "b", "b"]
    return pl.DataFrame({"picture": pixels, "label": labels})


def test_what_looks_the_same_stays_on_one_side_and_is_told() -> None:
    rows = table()
    for seed in range(5):
        split = choose_split(rows, "label", share=0.3, time=None, group=None, seed=seed)
        assert split.near_pictures == ("picture",)
        parts = apply_split(rows, "label", split, 0)
        tests = set(parts.test.tolist())
        assert all((row in tests) == (40 + row in tests) for row in range(5))
    found = "picture: 10 rows are equal or nearly equal to another (5 groups)"
    assert notes_on_kin(parts.kin, split, None) == [f"{found}: what is alike stays together."]
    classes = (rows["label"] == "b").to_torch().long()
    assert notes_on_kin(parts.kin, split, classes) == [
        f"{found}, 1 of them with different labels: what is alike stays together."
    ]
