"""Videos, from files to a tested model, its predictions and its script."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import polars as pl
import pytest
from av.video.stream import VideoStream
from tests.stories.test_pictures import said, zipped

import firstlight
from firstlight.kinds.video import VIDEO
from firstlight.model.predictor import NETWORK
from firstlight.refusal import Refused
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit
    from tests.stories.conftest import Run

SOURCES, CLIPS, FRAMES = 12, 3, 8
WAYS = ("left", "right")
HEIGHT, WIDTH = 32, 48


def write_video(place: Path, way: str, chance: np.random.Generator) -> None:
    """A bright square that goes one way over a still ground: no frame alone tells which way."""
    ground = chance.integers(0, 80, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    top = int(chance.integers(0, HEIGHT - 10))
    lefts = range(4, 4 + 4 * FRAMES, 4) if way == "right" else range(4 * FRAMES, 0, -4)
    with av.open(str(place), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = HEIGHT, WIDTH, "yuv420p", 2_000_000
        for number, left in enumerate(lefts):
            pixels = ground.copy()
            pixels[top : top + 8, left : left + 8] = 230
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = number, Fraction(1, 8)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_folder(place: Path, sources: int = SOURCES, seed: int = 0) -> Path:
    """Class folders of videos, several of each source."""
    chance = np.random.default_rng(seed)
    for source in range(sources):
        way = WAYS[source % 2]
        (place / way).mkdir(parents=True, exist_ok=True)
        for clip in range(CLIPS):
            write_video(place / way / f"street{source:02}_c{clip}.avi", way, chance)
    return place


def test_a_folder_for_each_class_from_command_line_to_predictions(run: Run) -> None:
    write_folder(Path("streets"))
    told = said(run("fit", "streets", "--time", "3", "--out", "run"))
    assert "label target 2 classes (left 18, right 18)" in told
    assert "video video videos, 16 frames of 48 × 32 pixels" in told
    assert "or cut from the same source (12 groups): what is alike stays together" in told
    assert "predicted 6 rows into predictions.csv" in said(run("predict", "run", write_folder(Path("new"), 2, seed=1)))
    answers = pl.read_csv("predictions.csv")
    assert answers.columns == ["path", "label", "P(left)", "P(right)"]
    assert answers["path"].to_list()[0] == "left/street00_c0.avi"


def test_an_archive_gives_what_its_folder_gives(fit: Fit, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "streets")
    pixels = [firstlight.read(place).frame["video"] for place in (folder, zipped(folder))]
    assert pixels[0].equals(pixels[1])


def test_the_script_decodes_retrains_and_proves(fit: Fit, bare: Bare, tmp_path: Path) -> None:
    run = fit(write_folder(tmp_path / "streets"), Choices(seconds=1.0), out=tmp_path / "run", keep=NETWORK)
    assert run.folder is not None
    assert run.predictor.plan.of_kind(VIDEO).keys() == {"video"}
    assert not (run.folder / "rows.parquet").exists(), "the script reads the files themselves"
    script = (run.folder / "train.py").read_text(encoding="utf-8")
    assert "like_names" in script
    printed, fault = bare(run.folder / "train.py")
    assert fault == ""
    assert "the same model, to the last bit" in printed


def test_a_frame_of_videos_in_another_form_is_refused_in_words(fit: Fit) -> None:
    clips = np.random.default_rng(0).integers(0, 255, (40, 4, 24, 24, 3), dtype=np.uint8)
    clips[::2] //= 2
    run = fit(pl.DataFrame({"clip": clips, "label": ["dark", "bright"] * 20}), Choices("label", seconds=1.0))
    for other, told in ((clips[:3, :3], "3 x 24 x 24 x 3"), (clips[:3, :, :20], "4 x 20 x 24 x 3")):
        with pytest.raises(Refused, match=rf"^clip holds pixels of the form {told}; .* from 4 x 24 x 24 x 3\.$"):
            run.predict(pl.DataFrame({"clip": other}))
