"""Tables as large as wanted: numbers, some words, and a number that depends on a few of them and on chance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from processes import Files

TARGET = "answer"
NOISE = 0.5  # the least root mean squared error that any model can have
WORDS = 3  # of 20 columns hold words
DIFFERENT = 12  # words in each of these
AT_ONCE = 1_000_000  # rows that are made


def files_of_size(folder: Path, rows: int, columns: int, tested: int) -> Files:
    """So many training rows and test rows in the folder."""
    files = Files(folder / "train.parquet", folder / "test.parquet", TARGET)
    for seed, (path, many) in enumerate(((files.train, rows), (files.test, tested))):
        _write(path, many, columns, seed)
    return files


def _write(path: Path, rows: int, columns: int, seed: int) -> None:
    first, *others = _blocks(rows, columns, seed)
    with pq.ParquetWriter(path, first.to_arrow().schema) as writer:
        for block in (first, *others):
            writer.write_table(block.to_arrow())


def _blocks(rows: int, columns: int, seed: int) -> Iterator[pl.DataFrame]:
    chance = np.random.default_rng(seed)
    of_words = columns * WORDS // 20
    for first in range(0, rows, AT_ONCE):
        many = min(AT_ONCE, rows - first)
        numbers = chance.standard_normal((many, columns - of_words), dtype=np.float32)
        words = chance.integers(DIFFERENT, size=(many, of_words))
        answer = np.sin(2 * numbers[:, 0]) + numbers[:, 1] * numbers[:, 2] + np.abs(numbers[:, 3]) + 0.3 * numbers[:, 4]
        answer += np.where(words[:, 0] % 3 == 0, numbers[:, 5], 0.2 * words[:, 1])
        cells = {f"number{each}": column for each, column in enumerate(numbers.T)}
        cells |= {f"word{each}": np.char.add("w", column.astype(str)) for each, column in enumerate(words.T)}
        yield pl.DataFrame({**cells, TARGET: answer + NOISE * chance.standard_normal(many)})
