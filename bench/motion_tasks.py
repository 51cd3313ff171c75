"""Makes tasks that only motion can solve, of real videos and photographs: tables of small clips that `fit` reads.

`python bench/motion_tasks.py OUT --videos FOLDER [--sources TABLE] --pictures FOLDER` writes into OUT, of each task,
the clips, a table NAME.csv with the columns video, source and label, and the rivals NAME_mean.csv and NAME_middle.csv:
the same clips with every frame replaced by their mean, and by the frame in the middle.

direction: played forward or backward. speed: normal or double. pan_4, pan_8: in which of 4 or 8 directions a window
moves over a photograph. Each window of a source gives a clip of every label, so single frames say nothing: split by
source (`--group source`), never by chance.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Frames = NDArray[np.uint8]  # (frames, height, width, 3)

SIDE = 64  # pixels of a window
RATE = 12  # frames a second of what is written; all clips of a task have equally many frames
FRAMES, FRAMES_OF_SPEED = 16, 12
WINDOWS = 2  # in space, of each stretch of a video
LEAST_MOTION = 2.0  # grey levels from frame to frame; a window that stands still has no direction
STEPS = (1, 3)  # pixels a frame that a window moves over a photograph, least and most
DIRECTIONS = {
    "right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0),
    "down_right": (1, 1), "up_left": (-1, -1), "down_left": (1, -1), "up_right": (-1, 1),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip with its label, and the video or photograph that it is cut from."""

    frames: Frames
    label: str
    source: str


def decoded(path: Path) -> Frames:
    """All frames of a video."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def written(frames: Frames, path: Path) -> None:
    """Writes frames to a file without any loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def sources_of(folder: Path, table: Path | None) -> dict[Path, str]:
    """The videos of a folder, each with its source: itself, or by a table (file, source_video; split: train alone)."""
    if table is None:
        return {path: path.stem for path in sorted(folder.rglob("*")) if path.is_file()}
    with table.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("split", "train") == "train"]
    return {folder / row["file"]: row["source_video"] for row in rows}


def windows_of(video: Frames, frames: int) -> Iterator[Frames]:
    """Of each stretch of so many frames those windows in which most moves, beside one another."""
    for start in range((len(video) % frames) // 2, len(video) - frames + 1, frames):
        stretch = video[start : start + frames]
        moves = np.abs(np.diff(stretch.astype(np.int16), axis=0)).mean(axis=(0, 3))  # (height, width)
        corners = [range(0, length - SIDE + 1, SIDE // 4) for length in moves.shape]
        motion = {(y, x): moves[y : y + SIDE, x : x + SIDE].mean() for y, x in product(*corners)}
        chosen: list[tuple[int, int]] = []
        for y, x in sorted(motion, key=lambda corner: -motion[corner]):
            apart = all(max(abs(y - other[0]), abs(x - other[1])) >= SIDE // 2 for other in chosen)
            if apart and len(chosen) < WINDOWS and motion[y, x] >= LEAST_MOTION:
                chosen.append((y, x))
                yield stretch[:, y : y + SIDE, x : x + SIDE]


def of_direction(videos: Mapping[Path, str]) -> Iterator[Clip]:
    """Each window forward and backward."""
    for path, source in videos.items():
        for window in windows_of(decoded(path), FRAMES):
            yield Clip(window, "forward", source)
            yield Clip(window[::-1], "backward", source)


def of_speed(videos: Mapping[Path, str]) -> Iterator[Clip]:
    """Each window at normal and at double speed, around the same frame, in equally many frames."""
    for path, source in videos.items():
        for window in windows_of(decoded(path), 2 * FRAMES_OF_SPEED):
            quarter = FRAMES_OF_SPEED // 2
            yield Clip(window[quarter : quarter + FRAMES_OF_SPEED], "normal", source)
            yield Clip(window[::2], "double", source)


def of_pans(pictures: Iterable[Path], directions: Sequence[str]) -> Iterator[Clip]:
    """From one place of a photograph a window in each direction, the same frame in the middle of all."""
    chance = np.random.default_rng(0)
    for path in pictures:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        step = int(chance.integers(STEPS[0], STEPS[1] + 1))
        reach = step * (FRAMES // 2)
        room = [length - SIDE - 2 * reach for length in pixels.shape[:2]]
        if min(room) < 0:
            continue
        y, x = (reach + int(chance.integers(0, free + 1)) for free in room)
        times = [step * (frame - FRAMES // 2) for frame in range(FRAMES)]
        for name in directions:
            down, right = DIRECTIONS[name]
            corners = [(y + down * moved, x + right * moved) for moved in times]
            yield Clip(np.stack([pixels[b : b + SIDE, a : a + SIDE] for b, a in corners]), name, path.stem)


def still(frame: NDArray[np.floating], frames: int) -> Frames:
    """A clip that shows one frame all the time."""
    return np.repeat(frame.round().astype(np.uint8)[None], frames, axis=0)


def written_task(name: str, clips: Iterable[Clip], folder: Path) -> int:
    """Writes a task and its rivals; returns how many clips it has."""
    rows = []
    for number, clip in enumerate(clips):
        frames = clip.frames
        ways = {
            name: frames,
            f"{name}_mean": still(frames.mean(axis=0), len(frames)),
            f"{name}_middle": still(frames[len(frames) // 2].astype(np.float64), len(frames)),
        }
        for way, shown in ways.items():
            written(shown, folder / way / f"{number:05}.mkv")
        rows.append((number, clip.source, clip.label))
    for way in (name, f"{name}_mean", f"{name}_middle"):
        with (folder / f"{way}.csv").open("w", encoding="utf-8", newline="") as lines:
            table = csv.writer(lines)
            table.writerow(("video", "source", "label"))
            table.writerows((f"{way}/{number:05}.mkv", source, label) for number, source, label in rows)
    return len(rows)


def main() -> None:
    """Makes the tasks for which there are videos, and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--sources", type=Path, help="a table: file, source_video; with a column split, train alone")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--most", type=int, default=300, help="pictures that are taken, of each folder in turn")
    asked = parser.parse_args()
    tasks: dict[str, Iterable[Clip]] = {}
    if asked.videos:
        videos = sources_of(asked.videos, asked.sources)
        tasks |= {"direction": of_direction(videos), "speed": of_speed(videos)}
    if asked.pictures:
        paths = sorted(path for path in asked.pictures.rglob("*") if path.is_file())
        pictures = paths[:: max(1, len(paths) // asked.most)][: asked.most]
        tasks |= {f"pan_{many}": of_pans(pictures, tuple(islice(DIRECTIONS, many))) for many in (4, 8)}
    for name, clips in tasks.items():
        print(f"{name}: {written_task(name, clips, asked.out)} clips")


if __name__ == "__main__":
    main()
