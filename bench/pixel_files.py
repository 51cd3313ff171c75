"""Pictures and videos, how fast they are read: files to pixels, beside what many write by hand.

The JPEGs are made here: photographs are not needed to decode, only their size and their detail. The videos are those of
`fight_clips`. Both ways are taken in turn, in one process, with an empty cache each time.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from processes import SHARED, THREADS, shown, yes
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from firstlight.data.sources import read

HEAD = ("files", "by hand", "s", "firstlight, s", "times faster", "to reach", "reached", "again, s")
PICTURES, HEIGHT, WIDTH = 1_000, 375, 500
READ_HEIGHT, READ_WIDTH = 80, 112  # as firstlight reads pictures of this size
TIMES = 3
OF_PICTURES, OF_VIDEOS = 2.5, 3.0  # times faster, to reach
CLIPS = SHARED / "video" / "fight_clips.zip"


class Pictures(Dataset[Tensor]):
    """Pictures as they are wanted, by Pillow."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.rglob("*.jpg"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> Tensor:
        with Image.open(self.files[number]) as picture:
            small = picture.convert("RGB").resize((READ_WIDTH, READ_HEIGHT), Image.Resampling.BILINEAR)
        return torch.tensor(np.asarray(small))


def write_pictures(folder: Path) -> None:
    """JPEGs of coarse and of fine detail, about as large as photographs are."""
    chance = np.random.default_rng(0)
    folder.mkdir()
    for number in range(PICTURES):
        detail = Image.fromarray(chance.integers(0, 256, (12, 16, 3)).astype(np.uint8)).resize((WIDTH, HEIGHT))
        fine = Image.fromarray(chance.integers(0, 256, (HEIGHT // 3, WIDTH // 3, 3)).astype(np.uint8))
        Image.blend(detail, fine.resize((WIDTH, HEIGHT)), 0.25).save(folder / f"{number}.jpg", quality=88)


def by_a_loader(folder: Path) -> None:
    """Decoded by worker processes, in batches."""
    torch.cat(list(DataLoader(Pictures(folder), batch_size=64, num_workers=THREADS)))


def by_opencv(folder: Path) -> None:
    """Each frame of each video, one after the other."""
    import cv2

    for file in sorted(folder.rglob("*.mp4")):
        video = cv2.VideoCapture(str(file))
        frames = []
        while (found := video.read())[0]:
            frames.append(found[1])
        np.stack(frames)


def rows() -> Iterator[tuple[str, ...]]:
    """A row for pictures, and one for videos where there are some, and OpenCV to compare with."""
    with tempfile.TemporaryDirectory() as place:
        pictures = Path(place, "pictures")
        write_pictures(pictures)
        told = f"{PICTURES} JPEG of {WIDTH} x {HEIGHT}"
        yield measured(told, f"Pillow in a DataLoader, {THREADS} workers", pictures, by_a_loader, OF_PICTURES)
        if CLIPS.is_file() and find_spec("cv2"):  # no part of firstlight needs OpenCV
            videos = Path(place, "videos")
            with zipfile.ZipFile(CLIPS) as archive:
                archive.extractall(videos)
            yield measured("fight_clips, 300 videos", "OpenCV, every frame", videos, by_opencv, OF_VIDEOS)


def measured(files: str, what: str, folder: Path, by_hand: Callable[[Path], None], aim: float) -> tuple[str, ...]:
    """Both ways in turn, some times, and ours once more with all of it in the cache."""
    theirs, ours, again = [], [], []
    before = os.environ.get("XDG_CACHE_HOME")
    try:
        for _ in range(TIMES):
            theirs.append(seconds(lambda: by_hand(folder)))
            with tempfile.TemporaryDirectory() as cache:
                os.environ["XDG_CACHE_HOME"] = cache
                ours.append(seconds(lambda: read(folder)))
                again.append(seconds(lambda: read(folder)))
    finally:
        os.environ.pop("XDG_CACHE_HOME", None)
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
    slow, quick = statistics.median(theirs), statistics.median(ours)
    return (
        files, what, shown(slow, 2), shown(quick, 2), f"{slow / quick:.1f}", f"{aim:g}", yes(slow / quick >= aim),
        shown(statistics.median(again), 2),
    )  # fmt: skip


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
