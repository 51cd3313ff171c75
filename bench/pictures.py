"""Pictures and videos: how good a fit is, and how long it takes, on published or seeded splits.

Every fit is started anew, on two threads, within the seconds that it is asked for; the test rows are opened once.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from processes import SHARED, Files, Fit, fit_alone, shown, yes

from firstlight.evaluate.evaluation import LINE, ScoreName

IMAGES, VIDEOS = SHARED / "image", SHARED / "video"
FASHION = "fashion_mnist"
TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class PictureSet:
    """A set of pictures or videos, the seconds that a fit is given, its score, and what it is to reach."""

    name: str
    seconds: float
    score: ScoreName
    aim: float | None


SETS = (
    PictureSet(FASHION, 60.0, "accuracy", 0.915),
    PictureSet(FASHION, 300.0, "accuracy", 0.93),
    PictureSet("flowers", 60.0, "accuracy", 0.60),
    PictureSet("hymenoptera", 60.0, "accuracy", None),
    PictureSet("bccd_counts", 60.0, "root_mean_squared_error", 2.05),
    PictureSet("fight_clips, by source", 60.0, "accuracy", None),
    PictureSet("fight_clips, by chance", 60.0, "accuracy", None),
)
HEAD = (
    "set",
    "asked for",
    "network kept",
    "score",
    "95 % interval",
    "straight line",
    "to reach",
    "reached",
    "whole, s",
)


def lacking() -> list[str]:
    """The folders that are not there."""
    return [place.name for place in (IMAGES, VIDEOS) if not place.is_dir()]


def rows(names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """A row for each set, or for those named."""
    with tempfile.TemporaryDirectory() as folder:
        for about in SETS:
            if not names or about.name in names:
                files = files_for(about.name, Path(folder))
                yield row_of(about, fit_alone(files, Path(folder), about.seconds))


def row_of(about: PictureSet, fit: Fit) -> tuple[str, ...]:
    """What came of a fit."""
    evaluation = fit.run.evaluation
    if evaluation is None:
        raise ValueError(f"{about.name} was not tested")
    score = evaluation.kept.score(about.score)
    line = next(each for each in evaluation.contenders if each.name == LINE).score(about.score)
    reached = ""
    if about.aim is not None and score.value is not None:
        lower = about.score == "root_mean_squared_error"
        reached = yes(score.value <= about.aim if lower else score.value >= about.aim)
    return (
        about.name, f"{about.seconds:g} s", yes(evaluation.kept.name != LINE), shown(score.value),
        f"{shown(score.low)} – {shown(score.high)}", shown(line.value), shown(about.aim), reached, shown(fit.whole, 0),
    )  # fmt: skip


def files_for(name: str, folder: Path) -> Files:
    """The training part and the test part of a set, as `firstlight.fit` takes them."""
    if name == FASHION:
        train, test = (IMAGES / FASHION / f"{part}-images-idx3-ubyte.gz" for part in (TRAIN, "t10k"))
        return Files(train, test, "label")
    if name == "hymenoptera":
        whole = IMAGES / "hymenoptera.zip" / "hymenoptera"
        return Files(whole / TRAIN, whole / "val", "label")
    place = folder / name.replace(" ", "_")
    if name == "bccd_counts":
        return _of_counts(place)
    if name == "flowers":
        return _of_classes(IMAGES / "flowers.zip", pl.read_csv(IMAGES / "flowers.split.csv"), place)
    split = pl.read_csv(VIDEOS / "fight_clips.split.csv")
    if name.endswith("chance"):
        split = split.sample(fraction=1.0, shuffle=True, seed=0).with_columns(
            split=pl.when(pl.int_range(pl.len()) < 0.3 * pl.len()).then(pl.lit(TEST)).otherwise(pl.lit(TRAIN))
        )
    return _of_classes(VIDEOS / "fight_clips.zip", split, place)


def _of_classes(archive: Path, split: pl.DataFrame, place: Path) -> Files:
    """Class folders of the two parts."""
    with zipfile.ZipFile(archive) as stream:
        for file, part in split.select("file", "split").iter_rows():
            label, name = Path(file).parts[-2:]
            where = place / part / label
            where.mkdir(parents=True, exist_ok=True)
            (where / name).write_bytes(stream.read(file))
    return Files(place / TRAIN, place / TEST, "label")


def _of_counts(place: Path) -> Files:
    """Tables of the two parts, whose pictures lie beside them: nothing but the picture and the count."""
    place.mkdir(parents=True)
    with zipfile.ZipFile(IMAGES / "bccd_counts.zip") as stream:
        counts = pl.read_csv(stream.read("bccd_counts/counts.csv"))
        for member in stream.namelist():
            if member.endswith(".jpg"):
                (place / Path(member).name).write_bytes(stream.read(member))
    counts = counts.with_columns(file=pl.col("file").str.split("/").list.last())
    for name, tests in ((TRAIN, False), (TEST, True)):
        rows = counts.filter((pl.col("split") == TEST) == tests)
        rows.select("file", "rbc").write_csv(place / f"{name}.csv")
    return Files(place / f"{TRAIN}.csv", place / f"{TEST}.csv", "rbc")
