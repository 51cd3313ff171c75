"""Files of videos: each is read, read with a note, or refused in a sentence; in a form that suits them all; once."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from firstlight.data.places import Source
from firstlight.data.sources import read as read_source
from firstlight.data.table import Form
from firstlight.data.videos import (
    FEWEST_FRAMES,
    LOOKED_AT,
    Facts,
    VideoHeader,
    decode_videos,
    form_for_videos,
    header_of_video,
    lengths_told,
)
from firstlight.plain.frames import Video, clip_frames, opened_video
from firstlight.refusal import Refused

BADINPUT = Path(__file__).resolve().parents[3] / "shared" / "data" / "badinput"
MANIFEST = BADINPUT / "MANIFEST.toml"
BAD = (
    [entry for entry in tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["file"] if entry["name"].startswith("vid_")]
    if MANIFEST.is_file()
    else []
)
FORM = Form((4, 24, 32, 3), 0.1)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing is found in the cache of whoever runs the tests, and nothing left there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def film(
    frames: int = 20, rate: int = 10, size: tuple[int, int] = (48, 64), kind: str = "mp4", turned: int = 0
) -> bytes:
    """A video that grows brighter. size: height and width. turned: to the left, in degrees, by a note alone."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream("mpeg4", rate=rate)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        if turned:
            stream.set_display_rotation(turned)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 10 * number % 250, np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def source(content: bytes, name: str = "film.mp4") -> Source:
    return Source(name, "film", None, held=content)


def read(source: Source, form: Form | None = None) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The frames of one file, and what is noted of it; Refused where it cannot be read."""
    header = header_of_video(source)
    found = decode_videos([source], [header], form or form_for_videos([header]))
    if not found.readable[0]:
        raise Refused(found.notes[0][0])
    return found.cells[0], (*header.notes, *found.notes[0])


@pytest.mark.skipif(not BAD, reason="the bad input lies in shared/ beside the checkout")
@pytest.mark.parametrize("entry", BAD, ids=[entry["name"] for entry in BAD])
def test_every_odd_video_is_met_as_its_manifest_says(entry: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    path = BADINPUT / entry["name"]
    said = entry.get("say", "")
    if entry["expect"].startswith("refuse"):
        with pytest.raises(Refused, match=said) as refusal:
            read(Source(entry["name"], path.stem, str(path)))
        assert "\n" not in str(refusal.value)
    else:
        pixels, notes = read(Source(entry["name"], path.stem, str(path)))
        assert pixels.std() > 1
        assert bool(notes) == (entry["expect"] == "read with a note")
        assert said in "; ".join(notes)
    assert capfd.readouterr() == ("", "")


def test_two_columns_of_a_table_are_read_in_one_form(tmp_path: Path) -> None:
    (tmp_path / "wide.mp4").write_bytes(film(size=(48, 64)))
    (tmp_path / "high.mp4").write_bytes(film(frames=40, size=(96, 32)))
    pl.DataFrame({"front": ["wide.mp4"], "speed": [3], "back": ["high.mp4"]}).write_csv(tmp_path / "cars.csv")
    table = read_source(tmp_path / "cars.csv")
    assert table.reading.forms["front"] == table.reading.forms["back"]
    assert table.frame["front"].dtype == table.frame["back"].dtype


def test_a_name_that_says_another_format_is_noted() -> None:
    assert read(source(film(kind="avi"), "film.mp4"))[1] == ("the name says MP4, the file is AVI",)
    assert read(source(film(kind="mov"), "film.mp4"))[1] == ()  # the same format by an older name
    assert read(source(film(kind="matroska"), "film.webm"))[1] == ()
    assert read(source(film(), "film"))[1] == ()


def test_a_file_cut_off_is_read_with_a_note_of_what_is_missing() -> None:
    content = film(100, kind="matroska")
    pixels, notes = read(source(content[: len(content) // 2], "film.mkv"), FORM)
    assert len(np.unique(pixels.mean(axis=(1, 2, 3)).round())) == 4
    assert len(notes) == 1
    assert notes[0].startswith("the header promises 10 s, ")
    assert notes[0].endswith(" s are there")


def test_damaged_frames_are_noted() -> None:
    content = film(40, kind="avi")
    assert read(source(content, "film.avi"), FORM)[1] == ()
    with opened_video(content) as video:
        start = content.index(bytes(video.held[20]))
    broken = content[: start + 4] + bytes(video.held[20].size - 4) + content[start + video.held[20].size :]
    assert read(source(broken, "film.avi"), FORM)[1] == ("only part of the frames can be read",)


def test_a_list_of_more_frames_than_there_are_is_noted() -> None:
    content = film(40)
    at = content.index(b"stsz") + 16 + 4 * 30  # the size of frame 30
    broken = content[:at] + b"\x3f\xff\xff\xff" + content[at + 4 :]
    assert read(source(broken), FORM)[1] == ("only part of the frames can be read: 30 of 40",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "film.mp4 holds no video: the file is empty."),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "film.mp4: this is a picture, not a video."),
        (b"\xff\xd8\xff\xe0" + bytes(100), "film.mp4: this is a picture, not a video."),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(100), "film.mp4: this is a picture, not a video."),
        (b"\0\0\0\x1cftypavif" + bytes(100), "film.mp4: this is a picture, not a video."),
    ],
)
def test_what_is_no_video_at_first_sight_is_refused_by_name(content: bytes, why: str) -> None:
    with pytest.raises(Refused) as refusal:
        header_of_video(source(content))
    assert str(refusal.value) == why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (film()[:-300], "the video is not whole, or damaged; fetch it again"),
        (b"<html>not found</html>", "this is no video that can be read; MP4, Matroska, AVI, "),
        (film(kind="avi").replace(b"FMP4", b"zzzz"), "it is not known how the pictures in this file are encoded"),
    ],
)
def test_one_video_that_cannot_be_read_costs_its_row_and_is_told(content: bytes, why: str) -> None:
    sources = [source(film()), source(content), source(film(30))]
    headers = [header_of_video(each) for each in sources]
    found = decode_videos(sources, headers, form_for_videos(headers))
    assert found.readable.tolist() == [True, False, True]
    assert len(found.cells) == 2
    assert found.notes[1][0].startswith(why)


def test_a_form_is_found_and_lengths_are_told_even_of_none_that_can_be_read() -> None:
    headers = [header_of_video(source(b"nothing of the kind"))]
    assert form_for_videos(headers).step > 0
    assert lengths_told(headers) == "videos"


def test_a_file_that_vanishes_or_may_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"gone\.mp4 cannot be read: no such file or directory\."):
        header_of_video(Source("gone.mp4", "gone", str(tmp_path / "gone.mp4")))
    (tmp_path / "film.mp4").write_bytes(film())
    file = Source("film.mp4", "film", str(tmp_path / "film.mp4"))
    header = header_of_video(file)
    (tmp_path / "film.mp4").unlink()
    for _ in range(2):  # and that is not kept in the cache
        with pytest.raises(Refused, match=r"film\.mp4 cannot be read: no such file or directory\."):
            decode_videos([file], [header], FORM)
    (tmp_path / "film.mp4").write_bytes(film())
    assert decode_videos([file], [header], FORM).readable.all()


def of(*facts: Facts) -> list[VideoHeader]:
    """Headers of videos in which all this is found."""
    headers = [VideoHeader(b"", "MP4", b"", ()) for _ in facts]
    for header, each in zip(headers, facts, strict=True):
        header.__dict__["facts"] = each  # as if it had been looked up
    return headers


@pytest.mark.parametrize(
    ("facts", "form"),
    [
        # the middle one of three lasts 8 s: 16 frames, half a second apart
        ([Facts(320, 240, 60, 2), Facts(320, 240, 240, 8), Facts(320, 240, 900, 30)], Form((16, 80, 112, 3), 0.5)),
        # short: no frame is taken twice while there are others
        ([Facts(320, 240, 8, 0.8)] * 3, Form((16, 80, 112, 3), 0.1)),
        # held upright
        ([Facts(1080, 1920, 480, 16)], Form((16, 128, 72, 3), 1.0)),
        # never enlarged
        ([Facts(50, 40, 32, 3.2)], Form((16, 40, 48, 3), 0.2)),
        # no wider than three times the height
        ([Facts(2000, 100, 32, 3.2)], Form((16, 56, 168, 3), 0.2)),
        # 4,000 clips stay below 1 GB, and 40,000 with fewer frames, too
        ([Facts(320, 240, 32, 3.2)] * 4000, Form((16, 64, 80, 3), 0.2)),
        ([Facts(320, 240, 32, 3.2)] * 40000, Form((8, 24, 40, 3), 0.4)),
        # a single frame lasts no time
        ([Facts(64, 64, 1, 0.0)], Form((16, 64, 64, 3), 1.0)),
    ],
)
def test_the_form_suits_the_middle_one_of_the_videos(facts: Sequence[Facts], form: Form) -> None:
    found = form_for_videos(of(*facts))
    assert found == form
    assert len(facts) * np.prod(found.shape) < 1.05e9 or found.shape[0] == FEWEST_FRAMES


def test_of_many_videos_some_are_opened_to_choose_the_form_by(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []

    def watched(content: bytes | Path) -> AbstractContextManager[Video]:
        opened.append(content)
        return opened_video(content)

    monkeypatch.setattr("firstlight.data.videos.opened_video", watched)
    content = film(10)
    headers = [header_of_video(source(content)) for _ in range(3 * LOOKED_AT + 1)]
    form_for_videos(headers)
    assert lengths_told(headers) == "MP4, about 10 frames, 1 s, 48 x 64 pixels"
    assert LOOKED_AT / 2 < len(opened) <= LOOKED_AT


def test_the_size_is_that_in_which_a_video_is_shown() -> None:
    upright = film(10, size=(48, 96), turned=90)
    assert form_for_videos([header_of_video(source(upright))]).shape == (16, 96, 48, 3)
    assert lengths_told([header_of_video(source(upright))]) == "MP4, 10 frames, 1 s, 96 x 48 pixels"


def test_kinds_lengths_and_sizes_are_told_in_few_words() -> None:
    headers = [header_of_video(source(film(20))), header_of_video(source(film(5, kind="avi")))]
    assert lengths_told(headers) == "MP4 and AVI, 5 to 20 frames, 0.5 to 2 s, 48 x 64 pixels"
    assert lengths_told([header_of_video(source(film(1)))]) == "MP4, 1 frame, 0 s, 48 x 64 pixels"


def test_the_frames_are_those_that_the_script_reads(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.mp4" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(film(20 + 9 * number))
    sources = [Source(path.name, path.stem, str(path)) for path in paths]
    headers = [header_of_video(each) for each in sources]
    form = form_for_videos(headers)
    frames, height, width, _ = form.shape
    found = decode_videos(sources, headers, form)
    for path, cell in zip(paths, found.cells, strict=True):
        assert np.array_equal(cell, clip_frames(path.read_bytes(), (frames, height, width, 3), form.step))


def test_what_was_decoded_once_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [source(film(20)), source(film(30)), source(b"no video"), source(film(3))]
    headers = [header_of_video(each) for each in sources]
    first = decode_videos(sources, headers, FORM)

    def never(content: object) -> None:
        raise AssertionError(f"{content!r} is opened")

    monkeypatch.setattr("firstlight.data.videos.opened_video", never)
    again = decode_videos(sources, [header_of_video(each) for each in sources], FORM)
    assert np.array_equal(first.cells, again.cells)
    assert first.readable.tolist() == again.readable.tolist() == [True, True, False, True]
    assert first.notes == again.notes
    with pytest.raises(AssertionError, match="is opened"):
        decode_videos(sources, headers, Form((4, 24, 32, 3), 0.2))


def test_a_file_on_the_disk_is_never_held_in_memory_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film())
    file = Source("film.mp4", "film", str(path))
    held = read(source(path.read_bytes()), FORM)[0]
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read whole"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert np.array_equal(read(file, FORM)[0], held)
