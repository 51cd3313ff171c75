"""A look at a csv's first lines: it names the columns just as the reader does, or says nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from firstlight.data.peek import header_of
from firstlight.data.sources import read
from firstlight.refusal import Refused


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_plain_csv_tells_its_columns(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(separator.join(row) for row in [["size", "sort no."], ["1", "a"], ["2", "b"]]))
    assert header_of(path) == ("size", "sort no.")


@pytest.mark.parametrize(
    "text",
    [
        "", "x,y\n", "x,x\n1,2\n", "x, y\n1,2\n", "1,2\n3,4\n", "# made today\nx,y\n1,2\n", '"x","y"\n1,2\n',
        "x,y\n1,2,3\n", "x\n1\n", "x,\n1,2\n", "x,y\n\x00,2\n",
    ],
)  # fmt: skip
def test_where_there_is_a_doubt_it_says_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert header_of(path) is None


def test_it_never_says_other_than_the_reader(shared: Path) -> None:
    folder = shared / "data" / "badinput"
    told = 0
    for entry in tomllib.loads((folder / "MANIFEST.toml").read_text(encoding="utf-8"))["file"]:
        path = folder / entry["name"]
        names = header_of(path)
        if names is not None:
            try:
                assert tuple(read(path).frame.columns) == names, path.name
                told += 1
            except Refused:
                continue
    assert told > 5
