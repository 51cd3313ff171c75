"""Measures what there is in this folder and writes BENCHMARKS.md; start it by `make bench` on a quiet machine.

`python bench/write.py texts sequences` measures these parts alone; what the file says of the others stays as it is.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import answers
import first_fits
import first_minute
import generated
import line_speed
import loop_peer
import loop_speed
import other_tables
import pictures
import pixel_files
import sequence_files
import sequences
import sizes
import tables
import text_columns
import texts
from processes import THREADS

FILE = Path(__file__).resolve().parents[1] / "BENCHMARKS.md"


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A Markdown table; its rows are shown as they come."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    print(lines[0])
    for row in rows:
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def circumstances() -> list[str]:
    """When, with what and on what a section was measured, and how busy the machine was when it began."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("firstlight", "torch", "polars", "numpy"))
    load = os.getloadavg()[0]
    return [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {versions}, Python {platform.python_version()};",
        f"{processor()}, {os.cpu_count()} cores; load average {load:.1f} at the start.",
        "",
    ]


def first_minute_lines() -> list[str]:
    """How long a person waits."""
    return [
        "Whole commands, each started anew. `bench/first_minute.py` makes the table of 1,000 rows.",
        "",
        *table(first_minute.HEAD, first_minute.rows()),
    ]


def first_fit_lines() -> list[str]:
    """How good the first fit is."""
    return [
        "Default settings; the test rows are opened once. Penguins: 20 % of each class. California housing: a file.",
        "",
        *table(first_fits.HEAD, first_fits.rows()),
    ]


def table_lines() -> list[str]:
    """How good a fit of a table is, beside peers in the same run."""
    found = list(tables.measured(tables.shared_tables()))
    return beside_peers(found) if found else left_out("table", list(tables.TABLES))


def network_lines(network: str, names: Collection[str]) -> list[str]:
    """A network of others on the same tables."""
    if not tables.peers_python():
        return ["Left out, as FIRSTLIGHT_PEERS was not set.", ""]
    return [
        f"{network} of pytabkit on tables of the above, in the time that it takes, {tables.NETWORK_LIMIT:g} s at the",
        "most: the same scores, the lower, the better.",
        "",
        *table(tables.head_beside(network), tables.rows_beside(network, names)),
    ]


def other_table_lines() -> list[str]:
    """The same of tables that were not looked at before."""
    with other_tables.parted() as parted:
        found = list(tables.measured(parted))
    if not found:
        return ["Left out, as FIRSTLIGHT_RDATASETS does not name the collection's folder.", ""]
    return [
        "Ten tables of the Rdatasets collection, chosen before anything was fitted to them (`bench/other_tables.py`);",
        f"{other_tables.SHARE:.0%} of the rows, chosen by chance, are the test.",
        "",
        *beside_peers(found),
    ]


def beside_peers(found: list[tuple[str, dict[str, tables.Result]]]) -> list[str]:
    """The scores and the seconds of everyone."""
    everyone = tuple(found[0][1])
    peers = "" if tables.peers_python() else " FIRSTLIGHT_PEERS was not set, so no peer was measured."
    return [
        "Log loss, or root mean squared error of a number: the lower, the better. AutoGluon is given",
        f"{tables.SECONDS:g} seconds and medium quality, the others their defaults (`bench/table_peer.py`). Test rows",
        "are opened once, and the model that was kept on training rows is scored. The rank is among the peers and one",
        f"firstlight.{peers}",
        "",
        *table(("table", *everyone), tables.score_rows(found)),
        tables.beaten(found),
        "",
        f"Seconds of whole processes, on {THREADS} threads, imports included; firstlight also tests with intervals,",
        "and writes report and script.",
        "",
        *table(("table", *everyone), tables.second_rows(found)),
    ]


def size_lines() -> list[str]:
    """How a fit grows with rows and columns."""
    return [
        f"Tables that `bench/generated.py` makes, as parquet; {sizes.TESTED:,} test rows, or as many as training rows.",
        f"Root mean squared error, of which {generated.NOISE:g} is noise that nothing can tell. Seconds of whole",
        "processes, started anew.",
        "",
        *table(sizes.HEAD, sizes.rows()),
    ]


def answer_lines() -> list[str]:
    """How fast a million rows are answered."""
    peers = "" if tables.peers_python() else " FIRSTLIGHT_PEERS was not set, so CatBoost was not measured."
    return [
        f"{answers.ASKED:,} rows of {answers.COLUMNS} columns, from csv to parquet: whole processes, medians of",
        f"{answers.TIMES}, in turns, on {THREADS} threads. Fitted to {answers.TAUGHT:,} rows: firstlight in",
        f"{answers.SECONDS:g} seconds, CatBoost by its defaults (`bench/answer_peer.py`).{peers}",
        "",
        *table(answers.HEAD, answers.rows()),
    ]


def line_lines() -> list[str]:
    """How fast the straight line is found."""
    return [
        f"Medians of {line_speed.TIMES}, in turns in one process, float64; the others: so many times our seconds.",
        "Ours also chooses one penalty of eleven, by leaving each row out. Last column: the farthest of our weights",
        "from those of least squares without a penalty.",
        "",
        *table(line_speed.HEAD, line_speed.rows()),
    ]


def loop_lines() -> list[str]:
    """How fast the loop is."""
    return [
        f"Seconds of an epoch of {loop_peer.ROWS} rows of {loop_peer.COLUMNS} columns, {loop_peer.BATCH} a step,",
        f"by AdamW: medians of {loop_speed.TIMES} processes, in turns. By hand: a loop over tensors in memory, with",
        "the fused optimiser, so many times ours in float32; the others: so many times the quicker of ours",
        "(`bench/loop_peer.py`). R2 is on training rows.",
        "",
        *table(loop_speed.HEAD, loop_speed.rows()),
        "The small networks of a table: an epoch of the same rows, with their features and what is held out,",
        "beside the matrix products alone that it is made of, in float32 (`bench/loop_products.py`).",
        "",
        *table(loop_speed.PRODUCTS_HEAD, loop_speed.product_rows()),
    ]


def text_lines() -> list[str]:
    """Texts beside TF-IDF."""
    found = texts.measured()
    if not found:
        return left_out("text", texts.lacking())
    low, slow = texts.what_was_missed(found)
    return [
        "Published or seeded splits, default settings, from scratch; the test rows are opened once. TF-IDF: words and",
        f"pairs of words, then logistic regression, or ridge for emobank, by scikit-learn {version('scikit-learn')}",
        "(`bench/tfidf.py`).",
        "",
        *left_out("text", texts.lacking()),
        *table(texts.SCORES_HEAD, map(texts.score_row, found)),
        low,
        "",
        f"Seconds of processes started anew in turns, on {THREADS} threads: medians of {texts.TIMES} runs, of one",
        f"where TF-IDF takes over {texts.ONCE_FROM:g} s; it is ended after {texts.LIMIT:g} s. Both import, read",
        "parquet, tokenise, fit and predict the test rows; firstlight also scores them, with intervals.",
        "",
        *table(texts.SECONDS_HEAD, map(texts.second_row, found)),
        slow,
        "",
    ]


def text_column_lines() -> list[str]:
    """What a column of text adds to a table."""
    return [
        "The same table with its texts and without them, default settings; the test rows are opened once each. Of",
        "errors and log loss, lower is better.",
        "",
        *table(text_columns.HEAD, text_columns.rows()),
    ]


def sequence_lines() -> list[str]:
    """DNA beside published figures, and beside a network in the same run."""
    found = sequences.measured((*sequences.GUE_SETS, *sequences.OTHER_SETS))
    if not found:
        return left_out("dna", sequences.lacking())
    figures = sequences.published()
    of_gue = [each for each in found if each.about.name in figures]
    others = [each for each in found if each.about.name not in figures]
    return [
        "Published or seeded splits, default settings, from scratch; the test rows are opened once; a set's sequences",
        "and labels are all that is given. Published: MCC of models that were pretrained on genomes, then fitted to",
        "each set (`PUBLISHED.md` of the sets). For MCC and Spearman no interval is computed.",
        "",
        *left_out("dna", sequences.lacking()),
        *table(sequences.GUE_HEAD, (sequences.gue_row(each, figures[each.about.name]) for each in of_gue)),
        "Sets without such figures. ecoli_promoters has 106 rows in all: of its few test rows each weighs much.",
        "",
        *table(sequences.OTHER_HEAD, map(sequences.other_row, others)),
        "Test rows that stand among the training rows too, equal or nearly equal, and the score without them.",
        "",
        *table(sequences.SEEN_HEAD, map(sequences.seen_row, found)),
        f"Seconds of one process started anew, on {THREADS} threads, `import torch` included.",
        "",
        *table(sequences.SECONDS_HEAD, map(sequences.second_row, found)),
        sequences.what_was_missed(found, figures),
        "",
        "The CNN that the Genomic Benchmarks set as their baseline (`bench/genomic_cnn.py`), as published, with two",
        "sigmoids one after the other, and repaired; then a fit that is given a third of the quicker one's time.",
        "",
        *table(sequences.RACE_HEAD, sequences.race()),
    ]


def reading_lines() -> list[str]:
    """How fast files of sequences are read."""
    biopython = "" if sequence_files.has_biopython() else " Biopython was not installed, so it was not measured."
    return [
        f"Medians of {sequence_files.TIMES}, in one process. `bench/sequence_files.py` makes the files, so they lie in",
        f"the system's cache. MB are of text, unpacked.{biopython}",
        "",
        *table(sequence_files.HEAD, sequence_files.rows()),
    ]


def picture_lines() -> list[str]:
    """How good a fit of pictures and videos is."""
    if lacking := pictures.lacking():
        return left_out("image and video", lacking)
    return [
        "Published or seeded splits, from scratch; the test rows are opened once. rbc of bccd_counts: RMSE, where the",
        "constant has 4.1; the others: accuracy. fight_clips has several clips of each source: by source none of them",
        "has clips on both sides; by chance they have, and the figure is too good.",
        "",
        *table(pictures.HEAD, pictures.rows()),
    ]


def pixel_lines() -> list[str]:
    """How fast pictures and videos are read."""
    return [
        f"Medians of {pixel_files.TIMES}, in one process, the two ways in turn. By hand pictures are made as small as",
        "firstlight reads them, and all frames of videos are decoded. Again: with all of it in firstlight's cache.",
        "",
        *table(pixel_files.HEAD, pixel_files.rows()),
    ]


def left_out(kind: str, names: list[str]) -> list[str]:
    """A line that names the sets that are not there."""
    return [f"Left out, as not in ../shared/data/{kind}: {', '.join(names)}.", ""] if names else []


@dataclass(frozen=True)
class Section:
    """A section of the file: the part that it belongs to, its heading, and what measures and writes it."""

    part: str
    heading: str
    lines: Callable[[], list[str]]


SECTIONS = (
    Section("first", "The first minute: how long a person waits", first_minute_lines),
    Section("first", "The first fit: how good it is", first_fit_lines),
    Section("tables", "Tables: how good a fit is, beside the peers", table_lines),
    Section("realmlp", "Tables: beside RealMLP", lambda: network_lines(tables.REALMLP, tables.TABLES)),
    Section("tabm", "Tables: beside TabM", lambda: network_lines(tables.TABM, tables.TABLES_OF_TABM)),
    Section("other_tables", "Tables that nothing was tuned to", other_table_lines),
    Section("sizes", "Larger tables: seconds and memory", size_lines),
    Section("answers", "A million rows: how fast they are answered", answer_lines),
    Section("line", "The straight line: how fast it is found", line_lines),
    Section("loop", "The loop: how fast an epoch is", loop_lines),
    Section("texts", "Texts: how good a fit is, and how long it takes", text_lines),
    Section("text_columns", "Texts beside other columns: what they add", text_column_lines),
    Section("sequences", "DNA: how good a fit is, and how long it takes", sequence_lines),
    Section("pictures", "Pictures and videos: how good a fit is", picture_lines),
    Section("pixels", "Pictures and videos: how fast they are read", pixel_lines),
    Section("reading", "Files of sequences: how fast they are read", reading_lines),
)


def sections_of(file: Path) -> dict[str, list[str]]:
    """The lines below each heading of the file as it is."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if line.startswith("## "):
            lines = found[line.removeprefix("## ")] = []
        else:
            lines.append(line)
    return found


def main() -> None:
    """Measures the parts that were asked for, all by default, and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = sorted({section.part for section in SECTIONS})
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(parts)}; all of them by default")
    asked = parser.parse_args().parts or parts
    if unknown := set(asked) - set(parts):
        parser.error(f"no part {sorted(unknown)[0]!r}; there are {', '.join(parts)}")
    written = sections_of(FILE)
    for section in SECTIONS:
        if section.part in asked:
            print(f"\n{section.heading}", flush=True)
            written[section.heading] = [*circumstances(), *section.lines()]
            write(written)  # what is measured stays, whatever becomes of the next


def write(written: dict[str, list[str]]) -> None:
    """Writes the sections in their order."""
    lines = ["# Benchmarks", "", "Written by `make bench`; each section says when and on what it was measured.", ""]
    for section in SECTIONS:
        if section.heading in written:
            lines += [f"## {section.heading}", "", *"\n".join(written[section.heading]).strip().split("\n"), ""]
    FILE.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
