"""Text files: one example a line, or one a file in folders; what shows columns stays a table."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from firstlight.data.sources import read
from firstlight.data.table import Table
from firstlight.plain import reading as plain
from firstlight.refusal import Refused


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def read_again(table: Table) -> pl.DataFrame:
    again = getattr(plain, f"read_{table.reading.reader}")(list(table.reading.paths), **table.reading.options)
    assert isinstance(again, pl.DataFrame)
    return again


# ---- one example a line


def test_each_line_of_a_txt_is_an_example_and_blank_ones_are_none(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.txt", "A fine film.\n\nNot for me, sadly\n \t\n  It rained.\n"))
    assert table.frame.to_dict(as_series=False) == {"text": ["A fine film.", "Not for me, sadly", "  It rained."]}
    assert (table.reading.reader, table.reading.summary, table.notes) == ("text_lines", "one example a line, utf-8", ())
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a, b\n1, 2\n3, 4\n",
        "name;size\nx;1\ny;2\n",
        "text\tlabel\nA fine film, really\tpos\nNot for me\tneg\n",
        "5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,3.3,virginica\n",
        'text,label\n"Good, in a way",pos\n"Bad, in a way",neg\n',
    ],
)
def test_a_txt_whose_lines_show_columns_is_a_table(tmp_path: Path, content: str) -> None:
    table = read(written(tmp_path / "t.txt", content))
    assert table.reading.reader == "csv"
    assert_frame_equal(table.frame, read(written(tmp_path / "t.csv", content)).frame)


@pytest.mark.parametrize(
    "content",
    [
        "Come, all of you\nGo, all of you\nStay, all of us\n",
        "1\n2\n3\n",
        "yes\nno\n",
        "one; two\nthree\nfour\n",
        "He said 5\" and left\nShe, too\n",
    ],
)  # fmt: skip
def test_a_txt_of_sentences_or_single_words_is_lines(tmp_path: Path, content: str) -> None:
    table = read(written(tmp_path / "t.txt", content))
    assert table.frame["text"].to_list() == content.splitlines()
    assert table.notes == ()


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "Latin-1 (Windows-1252)"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_encoding_of_lines_is_found_out_and_read_again(
    tmp_path: Path, encoding: str, said: str, line_end: str
) -> None:
    lines = ["Brav, der Käfer läuft", "über die Straße"]
    table = read(written(tmp_path / "t.txt", line_end.join(lines).encode(encoding)))
    assert table.frame["text"].to_list() == lines
    assert said in table.reading.summary
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def test_mixed_line_ends_each_end_an_example_and_are_noted(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.txt", "one\r\ntwo\nthree\rfour\u0085five\u2028six"))
    assert table.frame["text"].to_list() == ["one", "two", "three", "four", "five", "six"]
    assert table.notes == (
        "the line ends are mixed (Windows 1, Unix 1, old Mac 1, Unicode's own 2); each of them ends an example",
    )
    assert not table.reading.exact


def test_hidden_characters_in_lines_are_counted(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.txt", "good\u200b film\n\u202eevil\nplain\n"))
    assert table.notes == ("hidden characters (no-break or zero-width blanks, say) stand in 2 lines",)
    assert table.frame["text"][0] == "good\u200b film"


def test_a_packed_txt_is_lines_too(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.txt.gz", gzip.compress(b"one\ntwo three\n")))
    assert table.frame["text"].to_list() == ["one", "two three"]
    assert not table.reading.exact


def test_several_txt_files_of_a_pattern_are_read_one_below_the_other(tmp_path: Path) -> None:
    for name in ("b", "a"):
        written(tmp_path / f"{name}.txt", f"{name} one\n{name} two\n")
    table = read(f"{tmp_path}/*.txt")
    assert table.frame["text"].to_list() == ["a one", "a two", "b one", "b two"]
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def test_a_quotation_mark_of_mail_is_no_fasta(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.txt", "> How are you?\nFine\n@you\nyes\nno\n"))
    assert table.reading.reader == "text_lines"


# ---- one example a file


def test_folders_of_txt_files_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    written(tmp_path / "d" / "pos" / "b.txt", "Good,\nvery good.\n")
    written(tmp_path / "d" / "pos" / "a.txt", "Nice")
    written(tmp_path / "d" / "neg" / "a.txt", "\ufeffDull\r\nand long")
    table = read(tmp_path / "d")
    assert table.frame.rows() == [
        ("neg/a.txt", "Dull\nand long", "neg"),
        ("pos/a.txt", "Nice", "pos"),
        ("pos/b.txt", "Good,\nvery good.", "pos"),
    ]
    assert table.frame.columns == ["path", "text", "label"]
    assert (table.reading.name, table.reading.summary, table.notes) == (
        "d",
        "a text a file, utf-8, label by folder",
        (),
    )
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def test_a_folder_of_txt_files_has_no_labels(tmp_path: Path) -> None:
    for name in ("10", "9", "a"):
        written(tmp_path / "d" / f"{name}.txt", f"text {name}")
    table = read(tmp_path / "d")
    assert table.frame.rows() == [("10.txt", "text 10"), ("9.txt", "text 9"), ("a.txt", "text a")]
    assert_frame_equal(read_again(table), table.frame)


def test_what_systems_leave_in_folders_is_ignored_and_other_files_are_named(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/x.txt", ".git/x.txt", "._a.txt"):
        written(tmp_path / "d" / name, b"\0junk")
    written(tmp_path / "d" / "README.md", "read me")
    written(tmp_path / "d" / "a.txt", "one")
    written(tmp_path / "d" / "b.txt", "two")
    table = read(tmp_path / "d")
    assert table.frame["path"].to_list() == ["a.txt", "b.txt"]
    assert table.notes == ("1 other file is left out ('README.md')",)


def test_one_bad_file_in_a_folder_costs_one_row_and_is_named(tmp_path: Path) -> None:
    written(tmp_path / "d" / "a.txt", "fine")
    written(tmp_path / "d" / "bad.txt", bytes(range(32)) * 9)
    written(tmp_path / "d" / "empty.txt", "")
    written(tmp_path / "d" / "old.txt", "Käfer".encode("cp1252"))
    table = read(tmp_path / "d")
    assert table.frame["path"].to_list() == ["a.txt", "old.txt"]
    assert table.notes[0] == "'old.txt': the file is not UTF-8; it is read as Latin-1 (Windows-1252)"
    assert table.notes[1].startswith(f"2 files cannot be read and are left out: {tmp_path}/d/bad.txt is not text")
    assert not table.reading.exact


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret.txt", "a secret")
    written(tmp_path / "elsewhere" / "x.txt", "more secrets")
    written(tmp_path / "d" / "a.txt", "fine")
    (tmp_path / "d" / "b.txt").symlink_to(secret)
    (tmp_path / "d" / "c").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "d" / "e.txt").symlink_to(tmp_path / "d" / "a.txt")
    table = read(tmp_path / "d")
    assert table.frame.rows() == [("a.txt", "fine"), ("e.txt", "fine")]
    assert table.notes == ("2 links are not followed ('b.txt', 'c')",)


def test_a_folder_with_a_training_and_a_test_part_is_refused_with_the_part_to_name(tmp_path: Path) -> None:
    for part in ("train", "test"):
        written(tmp_path / "d" / part / "pos" / "a.txt", "good")
    with pytest.raises(Refused, match=r"d holds parts of a data set, not classes \('test', 'train'\); name the one to"):
        read(tmp_path / "d")


def test_a_folder_of_letters_with_a_note_beside_them_is_no_folder_of_texts(tmp_path: Path) -> None:
    written(tmp_path / "d" / "readme.txt", "pictures")
    for number in range(3):
        written(tmp_path / "d" / f"{number}.pdf", b"%PDF")
    with pytest.raises(Refused, match=r"d is a folder; name a file in it, or a pattern such as '.*/d/\*\.csv'\.$"):
        read(tmp_path / "d")
