"""Ten sets of texts: how good a fit is and how long it takes, beside TF-IDF with a linear model in the same run.

Both are started anew in turns, on two threads: they import, read parquet, tokenise, fit, and predict the test rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from processes import SHARED, Files, Fit, TookTooLong, files_of, fit_alone, missed, run_alone, shown, yes

from firstlight.evaluate.evaluation import LINE, Score, ScoreName

FOLDER = SHARED / "text"
TIMES = 3
ONCE_FROM = 60.0  # a peer that takes more seconds is run once
LIMIT = 200.0  # seconds after which a peer is ended


@dataclass(frozen=True)
class TextSet:
    """A set of texts, the score that counts, and the one to reach."""

    name: str
    target: str
    score: ScoreName
    aim: float


SETS = (
    TextSet("sst2", "label", "accuracy", 0.835),
    TextSet("trec6", "label", "accuracy", 0.925),
    TextSet("trec50", "label", "accuracy", 0.81),
    TextSet("movie_review_polarity", "label", "accuracy", 0.80),
    TextSet("sms_spam", "label", "macro_f1", 0.975),
    TextSet("germeval2018_offense", "label", "macro_f1", 0.68),
    TextSet("waimai_chinese", "label", "macro_f1", 0.87),
    TextSet("imdb", "label", "accuracy", 0.895),
    TextSet("newsgroups20", "label", "accuracy", 0.70),
    TextSet("emobank_valence", "V", "r_squared", 0.32),
)


@dataclass(frozen=True)
class Peer:
    """TF-IDF with a linear model: its score, and the seconds until the test rows are predicted."""

    score: float
    seconds: float


@dataclass(frozen=True)
class Measured:
    """What was found on a set; the peer's figures are None where it was ended.

    to_scores, whole: medians of seconds, until the test rows are scored and until the run folder is written.
    """

    about: TextSet
    network: Score
    line: Score | None
    kept: str
    to_scores: float
    whole: float
    peer: Peer | None
    times: int

    @property
    def reached(self) -> bool:
        """Whether the score is what it should be."""
        return self.network.value is not None and self.network.value >= self.about.aim

    @property
    def in_time(self) -> bool:
        """Whether it took no longer than the peer."""
        return self.to_scores <= (LIMIT if self.peer is None else self.peer.seconds)


def lacking() -> list[str]:
    """The sets that do not lie in the folder."""
    return [about.name for about in SETS if files_of(FOLDER, about.name, about.target) is None]


def measured(sets: Sequence[TextSet] = SETS) -> list[Measured]:
    """Measures every set that is there, and prints a line for each."""
    found = []
    for about in sets:
        if files := files_of(FOLDER, about.name, about.target):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(about, files, Path(folder)))
            print(" | ".join(score_row(found[-1]) + second_row(found[-1])), flush=True)
    return found


def measure(about: TextSet, files: Files, folder: Path) -> Measured:
    """Both in turns, as often as the peer's time allows."""
    fits: list[Fit] = []
    peers: list[Peer] = []
    for _ in range(TIMES):
        fits.append(fit_alone(files, folder))
        try:
            said = run_alone("tfidf.py", files.train, files.target, files.test, about.score, limit=LIMIT)
        except TookTooLong:
            break
        peers.append(Peer(float(said.last), said.after("predicted")))
        if peers[-1].seconds > ONCE_FROM:
            break
    evaluation = fits[-1].run.evaluation
    if evaluation is None:
        raise ValueError(f"{about.name} was not tested")
    line = evaluation.contender(LINE)
    return Measured(
        about=about,
        network=evaluation.kept.score(about.score),
        line=line.score(about.score) if line else None,
        kept=evaluation.kept.name,
        to_scores=median(fit.to_scores for fit in fits),
        whole=median(fit.whole for fit in fits),
        peer=Peer(peers[-1].score, median(peer.seconds for peer in peers)) if peers else None,
        times=len(fits),
    )


SCORES_HEAD = (
    "set", "score", "firstlight", "95 % interval", "to reach", "reached", "TF-IDF", "straight line", "kept",
)  # fmt: skip
SECONDS_HEAD = ("set", "to the scores, s", "TF-IDF, s", "not slower", "with report and files, s", "runs")


def score_row(found: Measured) -> tuple[str, ...]:
    """A row of the table of scores."""
    score, line = found.network, found.line
    return (
        found.about.name, found.about.score.replace("_", " "), shown(score.value),
        f"{shown(score.low)} to {shown(score.high)}", shown(found.about.aim), yes(found.reached),
        shown(found.peer.score if found.peer else None), shown(line.value if line else None), found.kept,
    )  # fmt: skip


def second_row(found: Measured) -> tuple[str, ...]:
    """A row of the table of seconds."""
    peer = f"{found.peer.seconds:.1f}" if found.peer else f"ended after {LIMIT:g}"
    return (
        found.about.name, f"{found.to_scores:.1f}", peer, yes(found.in_time), f"{found.whole:.1f}", str(found.times),
    )  # fmt: skip


def what_was_missed(found: Sequence[Measured]) -> Iterator[str]:
    """A sentence on the scores and one on the seconds."""
    low = [
        f"{each.about.name} {shown(each.network.value)} of {shown(each.about.aim)}"
        for each in found
        if not each.reached
    ]
    slow = [
        f"{each.about.name} {each.to_scores:.1f} of {each.peer.seconds if each.peer else LIMIT:.1f} s"
        for each in found
        if not each.in_time
    ]
    yield missed(low, "Every score was reached.")
    yield missed(slow, "No set took longer than TF-IDF.")
