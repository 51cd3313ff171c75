"""Videos to clips: the frames that are on show at fixed steps around the middle, whatever the format, exactly."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from firstlight.plain import frames
from firstlight.plain.frames import (
    clip_frames,
    frame_turns,
    middle_frames,
    middle_places,
    opened_video,
    pictures_at,
    shown_frames,
)

HEIGHT, WIDTH = 48, 64
PLACES = 96  # of the square, 16 in each of 6 rows; then it starts again


def drawn(number: int) -> NDArray[np.uint8]:
    """A frame on which the place of a bright square tells its number."""
    row, column = divmod(number % PLACES, 16)
    picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    picture[8 * row : 8 * row + 8, 4 * column : 4 * column + 4] = 230
    return picture


def told(clip: NDArray[np.uint8]) -> list[int]:
    """The numbers of the frames of a clip."""
    return [int(picture.reshape(6, 8, 16, 4, 3).mean(axis=(1, 3, 4)).argmax()) for picture in clip]


def film(
    count: int = 40,
    rate: int = 10,
    *,
    kind: str = "mp4",
    codec: str = "libx264",
    pixels: str = "yuv420p",
    every: int = 12,
    between: int = 0,
    moments: Sequence[int] | None = None,
    draw: Callable[[int], NDArray[np.uint8]] = drawn,
    turned: float = 0,
    sound: bool = False,
    second: bool = False,
    title: str = "",
    encoder: str = "",
    place: Path | None = None,
) -> bytes:
    """A video of `count` frames.

    every:   from one key frame to the next. between: frames that are decoded after later ones.
    moments: when each is shown, in ticks of 1 / rate.
    turned:  to the left, in degrees, by a note alone.
    sound:   beside it. second: a stream of black frames beside it.
    encoder: what it is told.
    place:   a file to write it to, with the list of its frames at the beginning.
    """
    file = io.BytesIO()
    options = {"movflags": "faststart"} if place else {}
    with av.open(str(place) if place else file, "w", format=kind, options=options) as container:
        container.metadata["title"] = title
        streams: list[VideoStream] = []
        for _ in range(1 + second):
            stream = container.add_stream(codec, rate=rate, options={"x264-params": encoder} if encoder else {})
            assert isinstance(stream, VideoStream)
            stream.height, stream.width = draw(0).shape[:2]
            stream.pix_fmt, stream.bit_rate = pixels, 2_000_000
            stream.codec_context.gop_size, stream.codec_context.max_b_frames = every, between
            streams.append(stream)
        if turned:
            streams[0].set_display_rotation(turned)
        if sound:
            hum(container, count / rate)
        for number in range(count):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(draw(number) if stream is streams[0] else np.zeros_like(draw(0)))
                frame.pts, frame.time_base = moments[number] if moments else number, Fraction(1, rate)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return place.read_bytes() if place else file.getvalue()


def hum(container: OutputContainer, seconds: float) -> None:
    """Puts a stream of sound into a file."""
    stream = container.add_stream("aac", rate=16000, layout="mono")
    assert isinstance(stream, AudioStream)
    for at in range(0, round(16000 * seconds), 1024):
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        samples.sample_rate, samples.pts, samples.time_base = 16000, at, Fraction(1, 16000)
        container.mux(stream.encode(samples))
    container.mux(stream.encode())


def song(*, cover: bool = False) -> bytes:
    """Sound without pictures that move. cover: one that does not."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            assert isinstance(picture, VideoStream)
            picture.height, picture.width, picture.pix_fmt = HEIGHT, WIDTH, "yuvj420p"
            picture.disposition = Disposition.attached_pic
        hum(container, 1)
        if cover:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(drawn(0))))
            container.mux(picture.encode())
    return file.getvalue()


def clip(content: bytes | Path, count: int, step: float) -> NDArray[np.uint8]:
    return clip_frames(content, (count, HEIGHT, WIDTH, 3), step)


FORMATS: dict[str, dict[str, Any]] = {
    "MP4, H.264": {},
    "MP4, H.264, frames between": {"between": 2},
    "MP4, H.264, groups that overlap": {"between": 2, "encoder": "open-gop=1:min-keyint=12:scenecut=0"},
    "Matroska, H.264, groups that overlap": {"kind": "matroska", "between": 2, "encoder": "open-gop=1:scenecut=0"},
    "Matroska, VP9": {"kind": "matroska", "codec": "libvpx-vp9"},
    "Matroska, MPEG-4": {"kind": "matroska", "codec": "mpeg4", "between": 2},
    "Matroska, FFV1": {"kind": "matroska", "codec": "ffv1"},
    "WebM, VP8": {"kind": "webm", "codec": "libvpx"},
    "AVI, MPEG-4": {"kind": "avi", "codec": "mpeg4"},
    "AVI, MPEG-4, frames between": {"kind": "avi", "codec": "mpeg4", "between": 2},
    "AVI, H.264, frames between": {"kind": "avi", "between": 2},
    "MOV, MJPEG": {"kind": "mov", "codec": "mjpeg", "pixels": "yuvj420p"},
    "GIF": {"kind": "gif", "codec": "gif", "pixels": "rgb8"},
    "MPEG-TS, MPEG-2": {"kind": "mpegts", "codec": "mpeg2video", "rate": 25, "between": 2},
    "MPEG-TS, H.264": {"kind": "mpegts", "rate": 25, "between": 2},
    "FLV": {"kind": "flv", "codec": "flv"},
    "WMV": {"kind": "asf", "codec": "wmv2"},
}


@pytest.mark.parametrize("made", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("held", [frames.MOST_HELD, 0], ids=["held", "read again"])
def test_the_frames_around_the_middle_are_taken_from_every_format(
    made: dict[str, Any], held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MOST_HELD", held)
    frame = 1 / made.get("rate", 10)
    assert told(clip(film(**made), 5, 2 * frame)) == [15, 17, 19, 21, 23]
    assert told(clip(film(90, **made), 4, 20 * frame)) == [14, 34, 54, 74]  # some come from later key frames
    assert told(clip(film(90, **made), 3, frame)) == [43, 44, 45]


def test_of_a_program_stream_which_says_of_some_frames_alone_when_they_are_shown_near_ones_are_taken() -> None:
    made = film(90, kind="mpeg", codec="mpeg2video", rate=25, between=2)
    found = told(clip(made, 4, 20 / 25))
    assert max(abs(one - other) for one, other in zip(found, [14, 34, 54, 74], strict=True)) <= 2


def test_a_shorter_video_repeats_its_last_frame() -> None:
    assert told(clip(film(6), 5, 0.3)) == [0, 3, 5, 5, 5]
    assert told(clip(film(1), 3, 0.3)) == [0, 0, 0]


def test_a_frame_is_shown_until_the_next_one_is() -> None:
    moments = [0, 1, 2, 20, 21, 22, 60, 70]
    assert told(clip(film(8, moments=moments, kind="matroska"), 8, 1.0)) == [2, 2, 5, 5, 5, 5, 6, 7]


@given(
    st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=50, unique=True).map(sorted),
    st.integers(1, 20),
    st.floats(1e-3, 2**41),
)
def test_places_are_in_order_and_never_outside_the_video(moments: list[int], count: int, step: float) -> None:
    places = middle_places(np.array(moments), count, step)
    assert len(places) == count
    assert (np.diff(places) >= 0).all()
    assert 0 <= places[0] <= places[-1] < len(moments)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 6), st.sampled_from([1000, 333, 1001, 33]))
def test_a_clip_lies_in_the_middle_at_even_steps(all_: int, count: int, every: int, tick: int) -> None:
    """Moments are rounded to whole ticks, as Matroska does to milliseconds; no frame is taken twice for that."""
    moments = np.array([round(number * tick * 1.1) for number in range(all_)])
    places = middle_places(moments, count, every * tick * 1.1)
    if all_ > (count - 1) * every:
        assert np.diff(places).tolist() == [every] * (count - 1)
        assert 0 <= (all_ - 1 - places[-1]) - places[0] <= 2


def test_frames_that_a_cut_has_hidden_are_not_shown() -> None:
    hidden = [*range(-5, 0)]
    assert told(clip(film(20, moments=[*hidden, *range(15)], between=2), 16, 0.1)) == [*range(5, 20), 19]


def test_of_a_long_video_little_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    given_to_decoder: list[object] = []
    decode = frames.frames_from

    def watched(video: frames.Video, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        given_to_decoder.append(packet)
        return decode(video, packet)

    monkeypatch.setattr(frames, "frames_from", watched)
    ten_minutes = film(3000, 5, codec="mpeg4", every=20)
    assert told(clip(ten_minutes, 16, 0.2)) == [number % PLACES for number in range(1492, 1508)]
    assert len(given_to_decoder) < 60
    seen: list[object] = []
    moment_of = frames.moment_of

    def noted(item: Any) -> int | None:
        seen.append(item)
        return moment_of(item)

    monkeypatch.setattr(frames, "moment_of", noted)
    monkeypatch.setattr(frames, "MOST_HELD", 0)
    assert told(clip(ten_minutes, 16, 0.2)) == [number % PLACES for number in range(1492, 1508)]
    assert len(seen) < 3000 + 150  # each packet once, and those around the middle, and their frames, again


def test_frames_from_which_no_other_is_made_are_decoded_where_they_are_wanted_only() -> None:
    with opened_video(film(rate=1000, kind="matroska", codec="mpeg4", between=2)) as video:
        assert [moment for moment, _ in shown_frames(video, video.order[30:31])] == [24, 27, 30]
        assert [moment for moment, _ in shown_frames(video, video.order[29:30])] == [24, 27, 29, 30]
        assert [moment for moment, _ in shown_frames(video, video.order[24:31])] == list(range(24, 31))


@pytest.mark.parametrize("held", [frames.MOST_HELD, 0], ids=["held", "read again"])
@pytest.mark.parametrize(("kind", "codec"), [("mp4", "libx264"), ("avi", "mpeg4"), ("mpegts", "mpeg2video")])
def test_a_video_without_key_frames_is_decoded_from_its_beginning(
    kind: str, codec: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "MOST_HELD", held)
    content = film(90, 25, kind=kind, codec=codec, every=1000, between=1)
    assert told(clip(content, 3, 0.04)) == [43, 44, 45]
    with opened_video(content) as video:
        assert len(video.held) == (90 if held else 1)


def test_the_same_bits_come_out_of_bytes_and_of_a_file_each_time(tmp_path: Path) -> None:
    content = film(between=2, sound=True)
    (tmp_path / "a: film%03d.dat").write_bytes(content)
    first = clip(content, 8, 0.25)
    assert first.dtype == np.uint8
    assert first.shape == (8, HEIGHT, WIDTH, 3)
    assert np.array_equal(first, clip(content, 8, 0.25))
    assert np.array_equal(first, clip(tmp_path / "a: film%03d.dat", 8, 0.25))
    assert np.array_equal(first, clip_frames(str(tmp_path / "a: film%03d.dat"), (8, HEIGHT, WIDTH, 3), 0.25))


def test_sound_and_further_pictures_are_passed_over() -> None:
    assert told(clip(film(sound=True), 5, 0.2)) == [15, 17, 19, 21, 23]
    assert told(clip(film(second=True), 5, 0.2)) == [15, 17, 19, 21, 23]


def test_pixels_are_averaged_where_a_frame_is_made_smaller_and_keep_their_colours() -> None:
    def fine(_: int) -> NDArray[np.uint8]:
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[:, 64:, 0] = 255  # red on the right, and a chequerboard of single pixels on the left
        picture[::2, :64:2] = picture[1::2, 1:64:2] = 255
        return picture

    small = clip_frames(film(3, draw=fine, codec="ffv1", kind="matroska", pixels="yuv444p"), (1, 24, 32, 3), 0.1)[0]
    assert np.abs(small[:, :15].astype(int) - 127).max() < 12
    assert np.abs(small[:, 17:].astype(int) - [255, 0, 0]).max() < 12


@pytest.mark.parametrize(("turned", "corner"), [(90, (-1, 0)), (180, (-1, -1)), (-90, (0, -1))])
def test_a_video_is_turned_as_the_camera_noted(turned: float, corner: tuple[int, int]) -> None:
    def marked(_: int) -> NDArray[np.uint8]:
        picture = np.full((32, 64, 3), 40, np.uint8)
        picture[:16, :16] = 230  # above, on the left
        return picture

    height, width = (64, 32) if abs(turned) == 90 else (32, 64)
    shown = clip_frames(film(3, draw=marked, turned=turned), (1, height, width, 3), 0.1)[0]
    assert shown.shape == (height, width, 3)
    halves = shown.reshape(2, height // 2, 2, width // 2, 3).mean(axis=(1, 3, 4))
    assert halves.argmax() == np.arange(4).reshape(2, 2)[corner]


def test_what_is_there_of_a_file_that_is_cut_off_is_used(tmp_path: Path) -> None:
    content = film(90, kind="matroska", codec="mpeg4")
    half = told(clip(content[: len(content) // 2], 3, 0.1))
    assert half == [half[0], half[0] + 1, half[0] + 2]
    assert 15 < half[0] < 30
    listed = film(90, codec="mpeg4", place=tmp_path / "film.mp4")
    half = told(clip(listed[: (listed.index(b"mdat") + len(listed)) // 2], 3, 0.1))
    assert half == [half[0], half[0] + 1, half[0] + 2]
    assert 15 < half[0] < 30


def without(content: bytes, numbers: Sequence[int]) -> bytes:
    """The same AVI of JPEG pictures with some of them overwritten."""
    starts = [at for at in range(len(content)) if content.startswith(b"\xff\xd8\xff", at)]
    broken = bytearray(content)
    for number in numbers:
        size = int.from_bytes(content[starts[number] - 4 : starts[number]], "little")
        broken[starts[number] : starts[number] + size] = bytes(size)
    return bytes(broken)


def test_a_damaged_frame_is_replaced_by_the_one_before() -> None:
    content = film(30, codec="mjpeg", kind="avi", pixels="yuvj420p")
    assert told(clip(content, 6, 0.1)) == [12, 13, 14, 15, 16, 17]
    with opened_video(without(content, [14, 15])) as video:
        assert told(middle_frames(video, (6, HEIGHT, WIDTH, 3), 0.1)) == [12, 13, 13, 13, 16, 17]
        assert len(video.faults) == 2


def test_a_frame_of_which_a_part_is_made_up_is_a_fault() -> None:
    content = film(every=1000, encoder="slices=3")
    with opened_video(content) as video:
        middle_frames(video, (6, HEIGHT, WIDTH, 3), 0.1)
        assert not video.faults
        packet = bytes(video.held[18])
    at = content.index(packet) + len(packet) // 2
    with opened_video(content[:at] + b"\xff" * 8 + content[at + 8 :]) as video:
        assert told(middle_frames(video, (6, HEIGHT, WIDTH, 3), 0.1)) == [17, 18, 19, 20, 21, 22]
        assert video.faults


def test_where_the_list_of_frames_is_damaged_those_before_are_used() -> None:
    content = film(40, codec="mpeg4")
    at = content.index(b"stsz") + 16 + 4 * 20  # the size of frame 20
    assert told(clip(content[:at] + b"\x3f\xff\xff\xff" + content[at + 4 :], 4, 0.1)) == [8, 9, 10, 11]


def test_where_all_around_the_middle_is_damaged_the_middle_of_the_rest_is_taken() -> None:
    content = film(30, codec="mjpeg", kind="avi", pixels="yuvj420p")
    assert told(clip(without(content, range(10, 30)), 4, 0.1)) == [3, 4, 5, 6]
    with pytest.raises(ValueError, match="no frame of this video can be read"):
        clip(without(content, range(30)), 4, 0.1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (song(), "there is no picture in this file"),
        (song(cover=True), "there is no picture in this file"),
        (b"", "this is no video that can be read"),
        (b"no video at all, " * 100, "this is no video that can be read"),
        (film()[:-400], "this is no video that can be read"),  # without the list of its frames
        (film().replace(b"avc1", b"zzzz"), "it is not known how the pictures in this file are encoded"),
        (film(3, kind="mjpeg", codec="mjpeg", pixels="yuvj420p"), "this is no video that can be read"),
        (film(5, moments=range(-9, -4)), "there are no frames in this file"),
    ],
    ids=[
        "sound alone",
        "a song and its cover",
        "nothing",
        "text",
        "cut off",
        "unknown codec",
        "pictures",
        "all hidden",
    ],
)
def test_a_file_without_a_video_is_a_value_error_of_one_sentence(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        clip(content, 4, 0.1)


def test_no_further_file_is_opened_where_one_names_others(tmp_path: Path) -> None:
    (tmp_path / "secret.ts").write_bytes(film(kind="mpegts", rate=25))
    listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.6,\n{tmp_path / 'secret.ts'}\n#EXT-X-ENDLIST\n"
    (tmp_path / "film.mp4").write_text(listed)
    for content in (tmp_path / "film.mp4", listed.encode()):
        with pytest.raises(ValueError, match="this is no video that can be read"):
            clip(content, 4, 0.1)


def test_letters_in_notes_about_a_video_do_no_harm() -> None:
    content = film(kind="avi", codec="mpeg4", title="Cafe au lait")
    assert b"Cafe au lait" in content
    assert told(clip(content.replace(b"Cafe", b"Caf\xe9"), 5, 0.2)) == [15, 17, 19, 21, 23]


def test_one_thread_decodes_a_video_so_that_damaged_ones_come_out_alike_each_time() -> None:
    with opened_video(film()) as video:
        assert video.stream.codec_context.thread_count == 1


@pytest.mark.parametrize(
    ("limit", "value", "why"),
    [
        ("LARGEST_FRAME", HEIGHT * WIDTH - 1, "the frames are larger than 0 megapixels"),
        ("MOST_FRAMES", 20, "the video has more than 20 frames"),
        ("MOST_DECODED", 5 * HEIGHT * WIDTH, "the video has too few key frames"),
    ],
)
def test_there_are_limits(limit: str, value: int, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = film(every=1000, codec="mpeg4")
    assert told(clip(content, 2, 0.1)) == [19, 20]
    monkeypatch.setattr(frames, limit, value)
    with pytest.raises(ValueError, match=why):
        clip(content, 2, 0.1)


def test_the_limit_holds_for_frames_that_grow_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def large(number: int) -> NDArray[np.uint8]:
        return drawn(number).repeat(2, axis=0).repeat(2, axis=1)

    made: dict[str, Any] = {"rate": 25, "kind": "mpegts", "codec": "mpeg2video"}
    content = film(30, **made) + film(30, **made, moments=range(30, 60), draw=large)
    assert told(clip(content, 8, 0.04))[-3:] == [1, 2, 3]
    monkeypatch.setattr(frames, "LARGEST_FRAME", HEIGHT * WIDTH)
    assert len(set(told(clip(content, 8, 0.04))[-4:])) == 1  # the last one that is small enough


def test_ffmpeg_keeps_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(film(40, every=1000))
    content[800:900] = bytes(100)
    clip(bytes(content), 4, 0.1)
    assert capfd.readouterr() == ("", "")


def test_every_clip_is_read_as_its_table_says_and_from_the_middle_as_from_the_start(shared: Path) -> None:
    with (shared / "data" / "video" / "clips.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 27
    for row in rows:
        path = shared / "data" / "video" / row["file"]
        with opened_video(path) as video:
            found = [(moment, frame.width, frame.height, frame_turns(frame)) for moment, frame in every_frame(video)]
            moments = np.array([moment for moment, *_ in found])
            step = float(np.diff(moments).mean()) * video.tick
            places = middle_places(moments, 3, step / video.tick)
            straight = pictures_at(moments[places], every_frame(video), HEIGHT, WIDTH)
            listed, seconds = len(video.order), np.diff(moments) * video.tick
        assert np.array_equal(clip(path, 3, step), straight), row["file"]
        assert listed == len(found) == int(row["frames"]), row["file"]
        assert {tuple(size) for _, *size, _ in found} == {(int(row["width"]), int(row["height"]))}, row["file"]
        assert {turns for *_, turns in found} == {int(row["rotation"]) // 90 % 4}, row["file"]
        assert (seconds > 0).all(), row["file"]
        assert seconds.sum() + seconds.mean() == pytest.approx(float(row["seconds"]), abs=0.06), row["file"]
        if row["format"] != "avi":  # what the table says of it are the moments that FFmpeg makes up
            assert (np.ptp(seconds) < 0.006) == (row["steady"] == "1"), row["file"]


def every_frame(video: frames.Video) -> Iterator[tuple[int, av.VideoFrame]]:
    return shown_frames(video, video.order)
