"""Clips that were cut from one source, as the names of their files say."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from firstlight.plain.like_names import like_names, sources_of
from firstlight.plan.splitting import apply_split, choose_split, notes_on_kin


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("Archery/v_Archery_g01_c04.avi", "v_Archery_g01"),
        ("walk/street 7 part 2.mp4", "street 7"),
        ("a/b/match3-scene-12.mov", "match3"),
        ("fi001.mp4", "fi001"),
        ("2024-05-01.mp4", "2024-05"),
        ("holiday.webm", "holiday"),
        ("SHOP_CLIP_09.MKV", "SHOP"),
    ],
)
def test_a_source_is_named_before_the_number_of_the_clip(name: str, source: str) -> None:
    assert sources_of(pl.Series([name])).to_list() == [source]


def test_clips_of_one_source_are_alike_in_whatever_folder() -> None:
    names = pl.Series(["a/one_1.mp4", "b/two_1.mp4", "a/two_2.mp4", "b/one_2.avi", "a/three.mp4"])
    assert like_names(names).tolist() == [0, 1, 1, 0, 4]


def clips(names: list[str]) -> pl.DataFrame:
    """A row a name, with a small video of noise."""
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 255, (len(names), 2, 16, 16, 3)).astype(np.uint8)
    return pl.DataFrame({"path": names, "video": pixels, "label": ["a", "b"] * (len(names) // 2)})


def test_clips_of_one_source_stay_on_one_side_and_it_is_told() -> None:
    rows = clips([f"x/walk{source:02}_c{clip}.avi" for source in range(12) for clip in range(3)])
    for seed in range(5):
        split = choose_split(rows, "label", share=0.3, time=None, group=None, seed=seed)
        assert split.near_names == ("path",)
        parts = apply_split(rows, "label", split, 0)
        assert {row // 3 for row in parts.test.tolist()}.isdisjoint(row // 3 for row in parts.train.tolist())
    assert notes_on_kin(parts.kin, split, None) == [
        "video, path: 36 rows are equal or nearly equal to another, or cut from the same source (12 groups): "
        "what is alike stays together."
    ]


@pytest.mark.parametrize(
    "names",
    [
        [f"fight/fi{number:03}.mp4" for number in range(40)],  # each is a source of its own
        [f"fight/video_{number}.mp4" for number in range(40)],  # all are one: the number says nothing else
        [f"one {number} two" for number in range(40)],  # no files at all
    ],
    ids=["numbered", "one name", "words"],
)
def test_names_that_tell_of_no_sources_join_nothing(names: list[str]) -> None:
    split = choose_split(clips(names), "label", share=0.3, time=None, group=None, seed=0)
    assert split.near_names == ()
