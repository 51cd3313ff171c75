"""Step 1, prepare and load: videos to clips, a few frames each at a fixed step in time.

In: a video file (MP4, WebM, AVI, GIF, ...), or its bytes. Out: numbers from 0 to 255. A file holds many more frames
than a model looks at, and most are stored as changes of others. So at first only the packets are listed, which tell
when each frame is shown; then those are decoded that lead to the wanted frames, from the key frame before them on.
"""

import io
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

# What FFmpeg calls the formats of videos. It knows more, but some of those name further files that it would open.
VIDEO_FORMATS = ("asf", "avi", "flv", "gif", "matroska", "mov", "mpeg", "mpegts", "ogg")
# A decoder holds several frames in memory, so none may be larger than those of 8K.
LARGEST_FRAME = 2**25  # pixels
MOST_FRAMES = 2**21  # of one video: those of 19 hours
MOST_DECODED = 2**36  # pixels, of one video: some minutes of work
MOST_DELAYED = 16  # frames that may be decoded before a frame and are shown after it; source: H.264, annex A
MOST_HELD = 2**26  # bytes of packets that stay in memory, so that they need not be read twice


class Video(NamedTuple):
    """A video that is open. Its packets, a frame each, are numbered as they stand in the file and are decoded.

    shown:   (packets,) int64, the moment from which on its frame is shown, in ticks.
    tick:    seconds.
    counted: whether the moments are those of some other frame, so that frames must be counted as they are decoded.
    order:   (frames,) int64, the numbers of the packets in the order in which their frames are shown.
    starts:  (packets,) int64, the number of the first packet that must be decoded to get its frame.
    ends:    (packets,) int64, the number behind the last one.
    held:    the packets themselves, or the first alone where they are too large to be kept.
    faults:  what could not be decoded up to now.
    """

    container: InputContainer
    stream: VideoStream
    shown: NDArray[np.int64]
    tick: float
    counted: bool
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    held: list[Packet]  # type: ignore[type-arg]
    faults: list[str]


def clip_frames(content: bytes | str | Path, shape: tuple[int, int, int, int], step: float) -> NDArray[np.uint8]:
    """Frames from around the middle of a video, `step` seconds apart; a shorter video repeats its last frame.

    content: the bytes of a file, or its path.
    shape:   (frames, height, width, 3) of the result: red, green and blue.

    Raises OSError or ValueError where no frame can be read.
    """
    with opened_video(content) as video:
        return middle_frames(video, shape, step)


@contextmanager
def opened_video(content: bytes | str | Path) -> Iterator[Video]:
    """A video file, known by what is in it and not by its name; of several streams of pictures the first."""
    limits = {"format_whitelist": ",".join(VIDEO_FORMATS), "max_pixels": str(LARGEST_FRAME)}
    with io.BytesIO(content) if isinstance(content, bytes) else Path(content).open("rb") as file:
        try:
            with av.open(file, "r", options=limits, metadata_errors="replace") as container:
                yield listed_video(container, moving_pictures(container))
        except av.FFmpegError as error:
            raise ValueError(f"this is no video that can be read: {error.strerror}") from error


def moving_pictures(container: InputContainer) -> VideoStream:
    """The first stream of pictures that move, ready to be decoded; the cover of a song does not."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise ValueError("there is no picture in this file")
    if streams[0].codec_context is None:
        raise ValueError("it is not known how the pictures in this file are encoded")
    if not 0 < streams[0].width * streams[0].height <= LARGEST_FRAME:
        raise ValueError(f"the frames are larger than {LARGEST_FRAME / 1e6:.0f} megapixels, or of no known size")
    for other in container.streams:
        other.discard = Discard.default if other is streams[0] else Discard.all
    # One thread, as files are read side by side; with more, damaged frames would not come out alike each time.
    streams[0].codec_context.options = {"threads": "1", "max_pixels": str(LARGEST_FRAME)}
    streams[0].codec_context.open()
    return streams[0]


def listed_video(container: InputContainer, stream: VideoStream) -> Video:
    """The video with all its packets, none of them decoded yet; of a file that is cut off, those that are there."""
    found: list[tuple[int, bool, bool]] = []
    held: list[Packet] = []  # type: ignore[type-arg]
    size = 0
    try:
        for packet in container.demux(stream):
            moment = moment_of(packet)
            if moment is None or packet.size == 0:
                continue
            found.append((moment, packet.is_keyframe, packet.is_discard))
            if len(found) > MOST_FRAMES:
                raise ValueError(f"the video has more than {MOST_FRAMES} frames")
            held.append(packet)
            size += packet.size
            if size > MOST_HELD:
                del held[1:]
    except av.FFmpegError:
        pass
    if all(hidden for _, _, hidden in found):
        raise ValueError("there are no frames in this file")
    shown, key, hidden = (np.array(column) for column in zip(*found, strict=True))
    numbers = np.arange(len(found))
    order = np.argsort(shown, kind="stable")
    order = order[~hidden[order]]
    last_key = np.maximum.accumulate(np.where(key, numbers, 0))
    # A frame that is shown before its key frame may also be made from frames before that one.
    starts = np.where(shown < shown[last_key], last_key[np.maximum(last_key - 1, 0)], last_key)
    ends = numbers + 1
    # AVI keeps no moments. Where frames are not decoded in the order in which they are shown, those that FFmpeg makes
    # up go wrong, so all are decoded and counted.
    counted = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
    if counted:
        starts, ends = np.zeros_like(starts), np.minimum(ends + MOST_DELAYED, len(found))
    tick = float(stream.time_base or 1)
    return Video(container, stream, shown, tick, counted, order, starts, ends, held, faults=[])


def moment_of(item: Packet | VideoFrame) -> int | None:  # type: ignore[type-arg]
    """From which moment on a frame is shown, in ticks; where the file does not say, when it is decoded."""
    return item.dts if item.pts is None else item.pts


def middle_frames(video: Video, shape: tuple[int, int, int, int], step: float) -> NDArray[np.uint8]:
    """As `clip_frames`, of a video that is open."""
    frames, height, width, _ = shape
    moments = video.shown[video.order]
    places = middle_places(moments, frames, step / video.tick)
    pictures = pictures_at(moments[places], shown_frames(video, video.order[places]), height, width)
    if not pictures:  # none of these can be read, so the whole video is looked through for frames that can
        moments = np.unique(np.array([moment for moment, _ in shown_frames(video, video.order)], np.int64))
        if len(moments) == 0:
            raise ValueError("no frame of this video can be read")
        places = middle_places(moments, frames, step / video.tick)
        pictures = pictures_at(moments[places], shown_frames(video, video.order), height, width)
    return np.stack(pictures)


def middle_places(moments: NDArray[np.int64], frames: int, step: float) -> NDArray[np.int64]:
    """Which frames are on show around the middle of a video, `step` ticks apart: (frames,) int64.

    moments: (all,) int64, from which on each is shown, in order.

    >>> middle_places(np.arange(9), frames=3, step=2.0)
    array([2, 4, 6])
    """
    first, last = int(moments[0]), int(moments[-1])
    start = first + max(0.0, (last - first - (frames - 1) * step) / 2)
    start = moments[np.searchsorted(moments, start, side="right") - 1]
    # Half a frame later: moments are rounded, so right at the change from one frame to the next it might be either.
    half = (last - first) / max(len(moments) - 1, 1) / 2
    return np.asarray(np.searchsorted(moments, start + half + np.arange(frames) * step, side="right") - 1)


def shown_frames(video: Video, wanted: NDArray[np.int64]) -> Iterator[tuple[int, VideoFrame]]:
    """The wanted frames, and some on the way to them, as they are shown, each with its moment.

    wanted: (some,) int64, the numbers of their packets.
    """
    if video.counted:
        yield from zip(video.shown[video.order].tolist(), decoded_frames(video, wanted), strict=False)
        return
    for frame in decoded_frames(video, wanted):
        if (moment := moment_of(frame)) is not None:
            yield moment, frame


def decoded_frames(video: Video, wanted: NDArray[np.int64]) -> Iterator[VideoFrame]:
    """The same without the moments."""
    decoder = video.stream.codec_context
    chosen = set(wanted.tolist())
    needed = np.zeros(len(video.shown), dtype=bool)
    for number in chosen:
        needed[video.starts[number] : video.ends[number]] = True
    numbers = np.flatnonzero(needed).tolist()
    if len(numbers) * decoder.width * decoder.height > MOST_DECODED:
        raise ValueError("the video has too few key frames, so too much of it would have to be decoded")
    decoder.flush_buffers()
    if not needed[0]:  # in the first packet some encoders tell their version, and decoders make up for its faults
        frames_from(video, video.held[0])
        decoder.flush_buffers()
    following = numbers[0]
    for number, packet in packets_at(video, numbers):
        if number != following:
            yield from frames_from(video, None)
            decoder.flush_buffers()
        # Of the frames on the way, those are left out from which no other is made.
        decoder.skip_frame = "DEFAULT" if video.counted or number in chosen else "NONREF"
        yield from frames_from(video, packet)
        following = number + 1
    yield from frames_from(video, None)


def frames_from(video: Video, packet: Packet | None) -> list[VideoFrame]:  # type: ignore[type-arg]
    """What the decoder gives when it is given a packet; without one, the frames that it still holds."""
    try:
        frames = video.stream.codec_context.decode(packet)
    except av.FFmpegError as error:
        video.faults.append(str(error))
        return []
    video.faults.extend("a damaged frame" for frame in frames if frame.is_corrupt)
    return frames


def packets_at(video: Video, numbers: list[int]) -> Iterator[tuple[int, Packet]]:  # type: ignore[type-arg]
    """The packets of some numbers: those that are held, or else read again, from about the first of them on."""
    if len(video.held) == len(video.shown):
        yield from ((number, video.held[number]) for number in numbers)
        return
    chosen, first, last = set(numbers), numbers[0], numbers[-1]
    for number, packet in packets_from(video, first):
        if number in chosen:
            yield number, packet
        if number >= last:
            break


def packets_from(video: Video, first: int) -> Iterator[tuple[int, Packet]]:  # type: ignore[type-arg]
    """The packets of a file from number `first` on, or from some before it on, by a jump into the file."""
    number_of = {moment: number for number, moment in enumerate(video.shown.tolist())}
    near, start = video.shown[max(0, first - MOST_DELAYED) : first + 1].min(), video.shown.min()
    # Where a jump leads too far, all is read. To the start, too, some formats jump too far, and some no second further.
    for moment in (near, start - round(1 / video.tick), start):
        try:
            video.container.seek(int(moment), stream=video.stream)
            packets = (packet for packet in video.container.demux(video.stream) if packet.size)
            read = ((number_of.get(moment_of(packet), -1), packet) for packet in packets)
            number, packet = next(read)
        except (av.FFmpegError, StopIteration):
            continue
        if 0 <= number <= first:
            yield number, packet
            yield from read
            return


def pictures_at(
    moments: NDArray[np.int64], frames: Iterable[tuple[int, VideoFrame]], height: int, width: int
) -> list[NDArray[np.uint8]]:
    """The picture on show at each moment; none where there are no frames. moments: (some,) int64, ticks, in order."""
    wanted = moments.tolist()
    pictures: list[NDArray[np.uint8]] = []
    scale, colour = VideoReformatter(), VideoReformatter()
    showing: VideoFrame | None = None
    for moment, frame in frames:
        due = bisect_left(wanted, moment) - len(pictures)
        if showing is not None and due > 0:
            pictures += [frame_pixels(showing, height, width, scale, colour)] * due
        showing = frame
    if showing is not None and len(pictures) < len(wanted):
        pictures += [frame_pixels(showing, height, width, scale, colour)] * (len(wanted) - len(pictures))
    return pictures


def frame_turns(frame: VideoFrame) -> int:
    """How many quarter turns to the left a frame needs, by what the camera noted of how it was held."""
    return round(frame.rotation / 90) % 4


def frame_pixels(
    frame: VideoFrame, height: int, width: int, scale: VideoReformatter, colour: VideoReformatter
) -> NDArray[np.uint8]:
    """A frame as it is shown: (height, width, 3) uint8."""
    turns = frame_turns(frame)
    if turns % 2:
        height, width = width, height
    # The mean of the pixels that become one, still as brightness and colour: in this order it is several times faster.
    small = scale.reformat(frame, width, height, "yuv420p", interpolation="AREA", threads=1)
    pixels = colour.reformat(small, width, height, "rgb24", interpolation="AREA", threads=1).to_ndarray()
    return np.rot90(pixels, turns).astype(np.uint8, copy=False)
