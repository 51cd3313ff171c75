"""How fast files of sequences are read, in MB/s of their text, beside loops over lines in the same run.

The files are made up here, from a fixed seed: records of 300 bases on one line, records of 6,000 bases in lines of 80,
and reads of 150 bases with their qualities, packed by gzip.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from processes import shown, yes

import firstlight as fl
from firstlight.plain.bases import base_codes
from firstlight.plain.reading import read_fasta, read_fastq

BYTES = 60_000_000
FASTQ_BYTES = 40_000_000
TIMES = 3
LINE = 80
SHORT, LONG, READ = 300, 6_000, 150
PROMISED = 300.0  # MB/s from FASTA to tensor
TIMES_BIOPYTHON = 8


def letters_of(alphabet: bytes, count: int, chance: np.random.Generator) -> bytes:
    """So many letters by chance."""
    choices: NDArray[np.uint8] = np.frombuffer(alphabet, np.uint8)
    return choices[chance.integers(0, len(choices), count)].tobytes()


def write_fasta(path: Path, length: int, line: int, size: int) -> None:
    """Records of `length` bases in lines of `line`, so many that the file has about `size` bytes."""
    bases = letters_of(b"ACGT", size, np.random.default_rng(0))
    with path.open("wb") as file:
        for number, start in enumerate(range(0, size - length + 1, length)):
            record = bases[start : start + length]
            lines = [record[at : at + line] for at in range(0, length, line)]
            file.write(b">record%d\n%b\n" % (number, b"\n".join(lines)))


def write_fastq(path: Path, size: int) -> None:
    """Reads with qualities, packed by gzip; unpacked they have about `size` bytes."""
    chance = np.random.default_rng(0)
    reads = size // (2 * READ)
    bases, qualities = (letters_of(alphabet, reads * READ, chance) for alphabet in (b"ACGT", b"FFFFFFFF:,#"))
    with gzip.open(path, "wb", compresslevel=6) as file:
        for number in range(reads):
            part = slice(number * READ, (number + 1) * READ)
            file.write(b"@read%d\n%b\n+\n%b\n" % (number, bases[part], qualities[part]))


def by_lines(path: Path) -> list[tuple[str, str]]:
    """What many write by hand: the records of a FASTA by a loop over its lines."""
    records: list[tuple[str, str]] = []
    name, parts = "", list[str]()
    with path.open() as file:
        for line in file:
            if line.startswith(">"):
                if parts:
                    records.append((name, "".join(parts)))
                name, parts = line[1:].strip(), []
            else:
                parts.append(line.strip())
    return [*records, (name, "".join(parts))]


def has_biopython() -> bool:
    """Whether Biopython is installed; no part of firstlight needs it."""
    return importlib.util.find_spec("Bio") is not None


def by_biopython(path: Path) -> list[tuple[str, str]]:
    """The records of a FASTA by Biopython's iteration."""
    parse = importlib.import_module("Bio.SeqIO").parse
    return [(record.id, str(record.seq)) for record in parse(path, "fasta")]


def seconds_of(work: Callable[[], object]) -> float:
    """The median of the seconds of several times."""
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


HEAD = ("what", "file", "MB", "MB/s", "times the loop", "promised", "reached")


def rows(size: int = BYTES, fastq_size: int = FASTQ_BYTES) -> Iterator[tuple[str, ...]]:
    """A row for each way of reading each file."""
    with tempfile.TemporaryDirectory() as folder:
        for name, length, line in (("FASTA, one line each", SHORT, SHORT), ("FASTA, lines of 80", LONG, LINE)):
            path = Path(folder) / f"{length}.fasta"
            write_fasta(path, length, line, size)
            yield from fasta_rows(name, path, length)
            path.unlink()
        path = Path(folder) / "reads.fastq.gz"
        write_fastq(path, fastq_size)
        yield from fastq_rows(path)


def fasta_rows(name: str, path: Path, length: int) -> Iterator[tuple[str, ...]]:
    """A FASTA by a loop, by Biopython where it is there, to a tensor, and as any source is read."""
    megabytes = path.stat().st_size / 1e6

    def row(what: str, seconds: float, promised: str = "", reached: str = "") -> tuple[str, ...]:
        return (
            what, name, f"{megabytes:.0f}", f"{megabytes / seconds:.0f}", f"{loop / seconds:.1f}", promised, reached,
        )  # fmt: skip

    loop = seconds_of(lambda: by_lines(path))
    mine = seconds_of(lambda: base_codes(read_fasta([path]), {"sequence": length}))
    yield row("a loop over lines, to records", loop)
    if has_biopython():
        slow = seconds_of(lambda: by_biopython(path))
        yield row("Biopython, to records", slow)
        times = f"{TIMES_BIOPYTHON} times Biopython"
        yield row("firstlight, to a tensor", mine, times, yes(slow >= TIMES_BIOPYTHON * mine))
    yield row("firstlight, to a tensor", mine, f"{PROMISED:g} MB/s", yes(megabytes / mine >= PROMISED))
    yield row("firstlight, as `fit` reads, all checks", seconds_of(lambda: fl.read(path)))


def fastq_rows(path: Path) -> Iterator[tuple[str, ...]]:
    """A packed FASTQ, beside unpacking alone."""
    content = path.read_bytes()
    megabytes = len(gzip.decompress(content)) / 1e6
    seconds = {"Python's gzip.decompress alone": seconds_of(lambda: gzip.decompress(content))}
    if command := shutil.which("gzip"):
        seconds["gunzip alone"] = seconds_of(
            lambda: subprocess.run([command, "-dc", path], stdout=subprocess.DEVNULL, check=True)
        )
    for what, taken in seconds.items():
        yield what, "FASTQ.gz", shown(megabytes, 0), shown(megabytes / taken, 0), "", "", ""
    mine = seconds_of(lambda: read_fastq([path]))
    beside = list(seconds)[-1]
    yield (
        "firstlight, to records", "FASTQ.gz", shown(megabytes, 0), shown(megabytes / mine, 0), "",
        f"as {beside}", yes(mine <= seconds[beside]),
    )  # fmt: skip
    yield (
        "firstlight, as `fit` reads, all checks", "FASTQ.gz", shown(megabytes, 0),
        shown(megabytes / seconds_of(lambda: fl.read(path)), 0), "", "", "",
    )  # fmt: skip
