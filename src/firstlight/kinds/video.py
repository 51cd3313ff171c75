"""Videos: cells that hold frames of pixels."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import polars as pl
import torch
from pydantic import Field
from torch import Tensor

from firstlight.data.pixel_cells import is_video, pixel_shape
from firstlight.kinds.hiding import PARTS_HIDDEN
from firstlight.kinds.kind import (
    Aim,
    Claim,
    Kind,
    KindPart,
    Learned,
    PartSettings,
    PartSnippets,
    Settings,
    Snippets,
    in_brackets,
)
from firstlight.kinds.precision import half_pays
from firstlight.machine import measured_once
from firstlight.plain.clips import Clips, clips_of, fit_clips, motion_pictures
from firstlight.plain.loop import learning
from firstlight.plain.patches import Patches, patches_of
from firstlight.plain.targets import member_log_losses

FOLDS = 5
CHANNELS, BATCH, RATE, DECAY = 16, 16, 0.004, 0.05
FEWEST_EPOCHS, MOST_EPOCHS = 4, 60
DEFAULT_SECONDS = 60.0
BESIDE, BESIDE_EACH = 8.0, 0.03  # seconds that a fit takes besides, in all and a video; seen on a two-core machine
LEAST_SHARE = 0.3  # of the time asked for, however long the rest takes
READ_SHARE = 7 / 8  # of the height, the width and the frames that are read at once


class VideoSettings(Settings, frozen=True):
    """How many frames of each video there are, and the height and width of each in pixels."""

    frames: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)


class ClipsSettings(PartSettings, frozen=True):
    """The sizes of the network over videos, and how it is fitted.

    frames, height, width: of the part of each video that is read. mirror: videos are mirrored by chance in training.
    half: convolutions are done in bfloat16.
    """

    frames: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    members: int = Field(ge=1, le=64)
    channels: int = Field(ge=8, le=1024, multiple_of=8)
    batch: int = Field(ge=1)
    rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    mirror: bool
    half: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width that are read."""
        return self.frames, self.height, self.width


def claim(cells: pl.Series) -> Claim[VideoSettings] | None:
    """A video where the cells hold frames of pixels."""
    if not is_video(cells.dtype):
        return None
    frames, height, width, _ = pixel_shape(cells.dtype) or (0, 0, 0, 0)
    return Claim(
        1.0,
        f"videos, {frames} frames of {width} × {height} pixels",
        VideoSettings(frames=frames, height=height, width=width),
    )


def pixels_a_second() -> float:
    """How many pixels of clips a second one member of the network learns from here; measured once."""
    name = f"torch {torch.__version__} threads {torch.get_num_threads()} clips"
    return measured_once(name + (" in bfloat16" if half_pays() else ""), _measure)


def _measure() -> float:
    shape = (8, 64, 64)
    clips = torch.arange(2 * BATCH * math.prod(shape) * 3).remainder(251).to(torch.uint8).view(-1, 1, *shape, 3)
    targets = torch.arange(len(clips)) % 2
    model = Clips("clips", 1, CHANNELS, 1, shape, 2, half_pays())
    learns = learning(torch.arange(len(clips)) % 8, 1)
    seconds = []
    for _ in range(3):  # the first time, memory is set up
        start = time.perf_counter()
        list(
            fit_clips(model, {"clips": clips}, targets, learns, member_log_losses, 1, BATCH, RATE, DECAY, mirror=False)
        )
        seconds.append(time.perf_counter() - start)
    return len(clips) * math.prod(shape) / min(seconds)


def _part_read(whole: int, step: int) -> int:
    """So much of an axis is read at once: a little less than the whole, so that there are parts to choose from."""
    return max(step, int(whole * READ_SHARE) // step * step) if whole > step else whole


def part_settings(rows: pl.DataFrame, columns: Mapping[str, VideoSettings], aim: Aim) -> Mapping[str, PartSettings]:
    """The sizes of the network, and what the time allows."""
    one = next(iter(columns.values()))
    shape = _part_read(one.frames, 2), _part_read(one.height, 8), _part_read(one.width, 8)
    pixels = len(rows) * len(columns) * math.prod(shape)
    asked = aim.seconds or DEFAULT_SECONDS
    seconds = max(LEAST_SHARE * asked, asked - BESIDE - BESIDE_EACH * len(rows))
    epochs = seconds * pixels_a_second() / pixels  # of a single member
    members = max(1, min(aim.folds, int(epochs // 20)))
    settings = ClipsSettings(
        epochs=max(FEWEST_EPOCHS, min(MOST_EPOCHS, int(epochs / members))), frames=shape[0], height=shape[1],
        width=shape[2], members=members, channels=CHANNELS, batch=BATCH, rate=RATE, decay=DECAY, mirror=False,
        half=half_pays(),
    )  # fmt: skip
    return {CLIPS.name: settings}


def _misfit(columns: Mapping[str, VideoSettings], settings: ClipsSettings) -> str:
    for name, video in columns.items():
        for axis in ("frames", "height", "width"):
            part, whole = getattr(settings, axis), getattr(video, axis)
            if part > whole:
                return f"{axis} is {part}, and the videos of {name} have {whole}"
    shapes = {(video.frames, video.height, video.width) for video in columns.values()}
    return "the videos of all columns must have one shape" if len(shapes) > 1 else ""


def _clips(settings: ClipsSettings, videos: int, outputs: int) -> Clips:
    return Clips("clips", settings.members, settings.channels, videos, settings.shape, outputs, settings.half)


def _videos(tensors: Mapping[str, Tensor], settings: ClipsSettings) -> int:
    return tensors["output.weight"].shape[1] // (8 * settings.channels)


CLIPS: KindPart[VideoSettings, ClipsSettings] = KindPart(
    name="clips",
    block="clips",
    told="videos, by convolutions that see neighbouring frames",
    folds=FOLDS,
    settings=ClipsSettings,
    reasons={
        "epochs": "as many as fit into the time, on this machine",
        "half": "whichever convolutions are quicker on this machine",
    },
    encode=lambda rows, columns, settings: clips_of(rows, list(columns)),
    build=lambda clips, settings, outputs: _clips(settings, clips.shape[1], outputs),
    rebuild=lambda tensors, settings, outputs: _clips(settings, _videos(tensors, settings), outputs),
    learns=lambda folds, settings: learning(folds, settings.members),
    fit=lambda module, inputs, targets, learns, losses_of, settings: fit_clips(
        module, inputs, targets, learns, losses_of, settings.epochs, settings.batch, settings.rate, settings.decay,
        settings.mirror,
    ),
    settle=lambda module: None,
    snippets=PartSnippets(
        encode=lambda settings: "clips_of(rows, VIDEOS)",
        build=lambda settings, outputs: (
            f'Clips("clips", {settings.members}, channels={settings.channels}, videos=len(VIDEOS), '
            f"shape={settings.shape}, outputs={outputs}, half={settings.half})"
        ),
        learns=lambda settings: f"learning(folds, {settings.members})",
        fit=lambda settings: (
            "fit_clips",
            f"epochs={settings.epochs}, batch={settings.batch}, rate={settings.rate!r}, decay={settings.decay!r}, "
            f"mirror={settings.mirror}",
        ),
    ),
    misfit=_misfit,
)  # fmt: skip


def _encode(rows: pl.DataFrame, columns: Mapping[str, VideoSettings], learned: Learned) -> Tensor:
    return motion_pictures(rows, list(columns))


VIDEO = Kind(
    name="video",
    block="motion_pictures",
    settings=VideoSettings,
    modules=(None, Patches),
    claim=claim,
    learn=lambda rows, columns: {},
    encode=_encode,
    network_features=None,
    line_features=lambda values, learned: patches_of(values),
    strays=lambda cells, settings: pl.repeat(False, len(cells), dtype=pl.Boolean, eager=True),
    snippets=Snippets(
        constants=lambda columns: in_brackets("VIDEOS = [", [repr(name) for name in columns], "]", "columns of videos"),
        learn="",
        encode="motion_pictures(rows, VIDEOS)",
        network_features=None,
        line_features='patches_of(inputs["motion_pictures"])',
    ),
    parts=(CLIPS,),
    part_settings=part_settings,
    occlusion=PARTS_HIDDEN,
    cell_type=lambda settings: pl.Array(pl.UInt8, (settings.frames, settings.height, settings.width, 3)),
)
