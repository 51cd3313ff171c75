"""Videos in files: what they are, in which form to read them all, and their frames.

The frames come from `plain.frames`, the same functions that the script holds; here stands what is looked at before and
after: is it a video, is the file whole, and what about it is odd.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from statistics import median

import av

from firstlight.data.pictures import MOST_BYTES, area_for
from firstlight.data.pixel_cache import Decoded, Pixels, decoded
from firstlight.data.places import Source, unreadable
from firstlight.data.table import Form
from firstlight.data.wording import brief
from firstlight.plain.frames import Video, frame_turns, middle_frames, opened_video, shown_frames
from firstlight.refusal import Refused
from firstlight.wording import whole

USUAL_FRAMES = 16
FEWEST_FRAMES = 4
USUAL_AREA = 96 * 96  # pixels of a frame, once it is read
# Of many videos so many are opened to choose the form by, which takes a tenth of the time of reading them.
LOOKED_AT = 64
TOLERANCE = 0.1  # of its length, by which a video may differ from what its header promises
LEAST_SECONDS = 0.5  # by which it must differ to be worth a word
PARTLY = "only part of the frames can be read"
READING = "1"  # of `plain.frames`: frames that it read in another way must not be taken from the cache
# The formats by their names, with the endings of files, and how files begin, and from which byte on.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "MP4": (".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2"), "Matroska": (".mkv", ".webm"), "AVI": (".avi", ".divx"),
    "GIF": (".gif",), "MPEG-TS": (".ts", ".mts", ".m2ts"), "WMV": (".wmv", ".asf"), "Ogg": (".ogv", ".ogg"),
    "FLV": (".flv",), "MPEG": (".mpg", ".mpeg", ".vob"),
}  # fmt: skip
VIDEOS = (
    (4, b"ftyp", "MP4"), (4, b"moov", "MP4"), (4, b"mdat", "MP4"), (4, b"wide", "MP4"), (8, b"AVI ", "AVI"),
    (0, b"\x1aE\xdf\xa3", "Matroska"), (0, b"GIF8", "GIF"), (0, b"OggS", "Ogg"), (0, b"FLV", "FLV"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMV"), (0, b"\0\0\1\xba", "MPEG"), (0, b"G@", "MPEG-TS"),
)  # fmt: skip
PICTURES = (
    (0, b"\xff\xd8\xff"), (0, b"\x89PNG"), (0, b"BM"), (0, b"II*\0"), (0, b"MM\0*"), (8, b"WEBP"), (4, b"ftypavif"),
    (4, b"ftypheic"), (4, b"ftypmif1"),
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What is found in a video. width, height: in pixels, as it is shown. frames, seconds: that are there."""

    width: int
    height: int
    frames: int
    seconds: float


@dataclass(frozen=True, eq=False)
class VideoHeader:
    """What is known of a file of a video by its first bytes.

    content: its bytes, or where they lie on the disk. kind: of file, such as "MP4", or empty where it is not known.
    digest:  of all its bytes. notes: what is odd about it.
    """

    content: bytes | Path
    kind: str
    digest: bytes
    notes: tuple[str, ...]

    @cached_property
    def facts(self) -> Facts | None:
        """What is in it; None where it cannot be read."""
        try:
            with opened_video(self.content) as video:
                return facts_of(video)
        except (OSError, ValueError):
            return None


def header_of_video(source: Source) -> VideoHeader:
    """The beginning of a video. Raises Refused where the file is empty, or holds a picture."""
    head = source.head(64)
    if not head:
        raise Refused(f"{source.location} holds no video: the file is empty.")
    if any(head.startswith(start, place) for place, start in PICTURES):
        raise Refused(f"{source.location}: this is a picture, not a video.")
    kind = next((kind for place, start, kind in VIDEOS if head.startswith(start, place)), "")
    content = Path(source.path) if source.path is not None and source.held is None else source.content()
    suffix = PurePosixPath(source.location.replace("\\", "/")).suffix.lower()
    promised = next((name for name, endings in ENDINGS.items() if suffix in endings), kind)
    wrong = kind and promised != kind
    notes = (f"the name says {suffix.removeprefix('.').upper()}, the file is {kind}",) if wrong else ()
    try:
        return VideoHeader(content, kind, _digest(content), notes)
    except OSError as error:
        raise unreadable(source.location, error) from error


def facts_of(video: Video) -> Facts:
    """The size, as the first frame tells how the camera was held, and the length of a video that is open."""
    width, height = video.stream.width, video.stream.height
    for _, frame in shown_frames(video, video.order[:1]):
        width, height = (frame.height, frame.width) if frame_turns(frame) % 2 else (frame.width, frame.height)
        break
    return Facts(width, height, len(video.order), _seconds(video))


def form_for_videos(headers: Sequence[VideoHeader]) -> Form:
    """The form in which videos of these sizes and lengths are read.

    The usual number of frames, at a step at which they cover the middle one of the videos, sorted by length.
    """
    facts = _looked_at(headers) or [Facts(1, 1, 1, 1.0)]  # of none, as all will be refused
    depth = 3 * USUAL_FRAMES * len(headers) // len(facts)  # each stands for several videos
    height, width = area_for([(each.height, each.width) for each in facts], USUAL_AREA, depth)
    fitting = MOST_BYTES // (len(headers) * height * width * 3)
    frames = min(USUAL_FRAMES, max(FEWEST_FRAMES, fitting))
    seconds = median(each.seconds for each in facts)
    shortest = median(each.seconds / each.frames for each in facts)
    return Form((frames, height, width, 3), float(f"{max(seconds / frames, shortest):.3g}") or 1.0)


def decode_videos(sources: Sequence[Source], headers: Sequence[VideoHeader], form: Form) -> Decoded:
    """The frames of all videos in a form, in parallel, from the cache where they were decoded before.

    Raises Refused where a file is gone since its beginning was read.
    """
    frames, height, width, channels = form.shape

    def decode(number: int) -> tuple[Pixels, tuple[str, ...]]:
        header = headers[number]
        try:
            with opened_video(header.content) as video:
                pixels = middle_frames(video, (frames, height, width, channels), form.step)
                return pixels, tuple(_oddities(video))
        except ValueError as error:
            raise Refused(_fault(error, header.kind)) from error

    version = f"PyAV {av.__version__}, {READING}"
    try:
        return decoded([header.digest for header in headers], form, decode, version)
    except OSError as error:  # of the disk, not of a video: nothing that may be kept in the cache
        raise unreadable(error.filename or "a video", error) from error


def lengths_told(headers: Sequence[VideoHeader]) -> str:
    """The kinds, lengths and sizes of videos in few words: "MP4, 12 to 57 frames, 1 to 4.75 s, 90 x 160 pixels"."""
    facts = _looked_at(headers)
    if not facts:
        return "videos"
    tell, about = (_middle, "about ") if len(headers) > LOOKED_AT else (_span, "")
    kinds = [kind for kind, _ in Counter(header.kind for header in headers if header.kind).most_common()]
    frames = tell([each.frames for each in facts])
    return (
        f"{' and '.join(kinds)}, {about}{frames} frame{'' if frames == '1' else 's'}, "
        f"{tell([each.seconds for each in facts])} s, "
        f"{tell([each.height for each in facts])} x {tell([each.width for each in facts])} pixels"
    )


def _looked_at(headers: Sequence[VideoHeader]) -> list[Facts]:
    """What is in the videos, of many in some of them, spread evenly; without those that cannot be read."""
    every = -(-len(headers) // LOOKED_AT)
    return [header.facts for header in headers[::every] if header.facts is not None]


def _seconds(video: Video) -> float:
    """How long the frames of a video are shown, the last as long as the others on average."""
    moments = video.shown[video.order]
    return float(moments[-1] - moments[0]) * video.tick * len(moments) / max(len(moments) - 1, 1)


def _digest(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return hashlib.blake2b(content, digest_size=16).digest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def _oddities(video: Video) -> Iterator[str]:
    """What a person should know of a video that was read."""
    there, seconds, promised = len(video.shown), _seconds(video), _seconds_promised(video)
    # MP4 keeps a list of all frames; what others say of their number is no more than a hint.
    listed = video.stream.frames if "mp4" in video.container.format.name else 0
    if listed > there:
        yield f"{PARTLY}: {whole(there)} of {whole(listed)}"
    elif video.faults:
        yield PARTLY
    elif there > 1 and promised and abs(promised - seconds) > max(LEAST_SECONDS, TOLERANCE * seconds):
        yield f"the header promises {promised:.3g} s, {seconds:.3g} s are there"
    if there == 1:
        yield "it holds only 1 frame, in which nothing moves"


def _seconds_promised(video: Video) -> float:
    """What the header says of the pictures, or else of all that is in the file; 0 where it says nothing."""
    if video.stream.duration is not None:
        return video.stream.duration * video.tick
    return (video.container.duration or 0) / av.time_base


def _fault(error: ValueError, kind: str) -> str:
    """Why a video cannot be read. kind: what its first bytes say it is."""
    if not isinstance(error.__cause__, av.FFmpegError):
        return brief(error)
    if kind:
        return "the video is not whole, or damaged; fetch it again"
    return f"this is no video that can be read; {', '.join(ENDINGS)} can"


def _span(values: Sequence[float]) -> str:
    """From the least to the most: "12 to 57"."""
    least, most = _brief(min(values)), _brief(max(values))
    return least if least == most else f"{least} to {most}"


def _middle(values: Sequence[float]) -> str:
    return _brief(median(values))


def _brief(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else whole(round(value))
