"""Bad sequences and texts: each file is read, read with a note, or refused in one sentence that names the record."""

from __future__ import annotations

import gzip
import re
import tomllib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from firstlight.data.sources import read
from firstlight.plain import reading as plain
from firstlight.refusal import Refused

BADINPUT = Path(__file__).resolve().parents[3] / "shared" / "data" / "badinput"
MANIFEST = tomllib.loads((BADINPUT / "MANIFEST.toml").read_text(encoding="utf-8"))["file"] if BADINPUT.is_dir() else []
ENTRIES = [entry for entry in MANIFEST if entry["kind"] in ("fasta", "fastq", "text")]
# What the note, the refusal or the summary has to speak of.
SAYS = {
    "fasta_duplicate_ids.fa": "2 ids stand more than once",
    "fasta_empty_sequence.fa": "2 empty records are left out",
    "fasta_illegal_letters.fa": "record 6 holds letters that are not DNA ('*', '5', 'J', 'Z')",
    "fasta_lowercase_gaps.fa": "with gaps",
    "fasta_no_header.fa": "has no > line",
    "fasta_protein.fa": "this is protein",
    "fastq_diff_ids.fastq": "the + line of record 3 does not repeat the name",
    "fastq_double_seq.fastq": "record 4 has no + line below its one line of sequence",
    "fastq_qual_null.fastq": "record 1 has a letter in its quality line that stands for no quality",
    "fastq_short_qual.fastq": "record 3 has a quality line of another length than its sequence",
    "fastq_trunc_in_seq.fastq": "ends in the middle of record 5",
    "txt_binary_named.txt": "is not text",
    "txt_hidden_characters.csv": "hidden characters",
    "txt_mixed_line_ends.txt": "the line ends are mixed",
    "txt_one_long_line.txt": "one single example",
    "txt_only_blank_lines.txt": "there is no text in the file",
    "txt_utf16be_no_bom.txt": "taken for UTF-16-BE",
    "txt_utf16le_bom.txt": "utf-16",
    "txt_zero.txt": "is empty",
}
RECORD = b">s%d|class=%d\nACGTACGTAC\n"

needs_badinput = pytest.mark.skipif(not MANIFEST, reason="the bad input lies in shared/ beside the checkout")


def is_one_sentence(text: str) -> bool:
    return text[:1] != " " and "\n" not in text and len(text) < 400


@needs_badinput
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["name"] for entry in ENTRIES])
def test_each_odd_file_is_read_noted_or_refused_as_its_list_says(
    entry: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BADINPUT)
    name = entry["name"]
    if entry["expect"] == "refuse in one sentence":
        with pytest.raises(Refused, match=f"^{re.escape(name)}.*{re.escape(SAYS[name])}") as refusal:
            read(name)
        assert is_one_sentence(str(refusal.value))
        return
    table = read(name)
    assert SAYS.get(name, "") in " | ".join([table.reading.summary, *table.notes])
    assert bool(table.notes) == (entry["expect"] == "read with a note")
    if entry["kind"] == "fasta":
        assert table.frame.columns == ["id", "sequence", "label"]
        assert table.frame["label"].unique().sort().to_list() == ["a", "b"]
        assert not table.frame["sequence"].str.contains(r"\s").any()
    if table.reading.exact:
        again = getattr(plain, f"read_{table.reading.reader}")(list(table.reading.paths), **table.reading.options)
        assert_frame_equal(again, table.frame)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"ACGT\nGGCC\n", "has no > line, so nothing tells where a sequence begins; put a line such as '>name'"),
        (b">p\nMKVLAAGIVGLCAKAYQSDHWERTPNF\n>q\nMKVLEEFFPPQQ\n", "this is protein, not DNA"),
        (b">a\n>b\n", "has headers and no sequences"),
        (b"@a\nACGT\n+\nIII\n", "record 1 has a quality line of another length than its sequence; the file is damaged"),
        (
            b"@a\nAC\n+\nII\n@b\nAC\nGT\n+\nIIII\n",
            "record 2 has no + line below its one line of sequence (several are not read)",
        ),
        (b"@a\nACGT\n+\nII\0I\n", "record 1 has a letter in its quality line that stands for no quality"),
        (b"@a\nAC\n+\nII\n@b\nA", "ends in the middle of record 2; fetch it again"),
        (b"@a\nAC\n+\nII\n>b\nAC\n+\nII\n", "record 2 does not begin with an @ line"),
        (gzip.compress(b"@a\nAC\n+\nII\n" * 999, mtime=0)[:-9], "is cut off: the gzip file is not whole"),
    ],
)
def test_a_file_of_sequences_that_is_not_whole_is_refused_with_the_record(
    tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "t.fa").write_bytes(content)
    with pytest.raises(Refused, match=re.escape(says)) as refusal:
        read(tmp_path / "t.fa")
    assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize(
    ("content", "rows", "note"),
    [
        (b">a\nAC\n>b\n\n>c\n>d\nGT\n", 2, "2 empty records are left out"),
        (b">a\nAC\n>a\nGT\n", 2, "1 id stands more than once ('a')"),
        (b">a\nACGTACGT\n>b\nAC5*\nGT\n", 2, "record 2 holds letters that are not DNA ('*', '5')"),
        (b">\nAC\n>\tb\nGT\n", 2, "2 records have no name behind the >"),
        (b">a\nAC GT\n", 1, "blanks among the letters of sequences are taken out"),
        (b"; old\n;comments\n>a\nAC\n", 1, "what stands above the first > is skipped (2 lines)"),
        (b"@a\nAC\n+b\nII\n", 1, "the + line of record 1 does not repeat the name on the @ line; that one is kept"),
        (">K\u00e4fer\nAC\n".encode("latin-1"), 1, "the file is not UTF-8; it is read as Latin-1 (Windows-1252)"),
    ],
)
def test_what_is_odd_in_a_file_of_sequences_is_noted(tmp_path: Path, content: bytes, rows: int, note: str) -> None:
    (tmp_path / "t.fa").write_bytes(content)
    table = read(tmp_path / "t.fa")
    assert table.frame.height == rows
    assert table.notes == (note,)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("kind=(.)", "the label pattern 'kind=(.)' fits no header of t.fa; the first header is 's1|class=1'."),
        ("class=", "the label pattern 'class=' has 0 groups; put the label, and nothing else, in parentheses"),
        ("(a)(b)", "the label pattern '(a)(b)' has 2 groups"),
        ("(", "the label pattern '(' is no regular expression"),
    ],
)
def test_a_label_pattern_that_cannot_be_meant_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, says: str
) -> None:
    (tmp_path / "t.fa").write_bytes(RECORD % (1, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=re.escape(says)) as refusal:
        read("t.fa", label=pattern)
    assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("id,y\nx1,0\nx2,1\n", "no id of labels.csv stands in t.fa: there it is 's1|class=1', say, and in the table"),
        ("name,y\nx1,0\nx2,1\n", "labels.csv has no column 'id'"),
        ("id,y,z\nx1,0,1\nx2,1,1\n", "has the columns 'y', 'z' beside 'id', and none called 'label'"),
        ("id\nx1\nx2\n", "has no column beside 'id', and none called 'label'"),
    ],
)
def test_a_table_of_labels_that_does_not_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, says: str
) -> None:
    (tmp_path / "t.fa").write_bytes(RECORD % (1, 1))
    (tmp_path / "labels.csv").write_text(labels)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=re.escape(says)):
        read("t.fa", labels="labels.csv")


def test_options_that_have_nothing_to_act_on_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.fa").write_bytes(RECORD % (1, 1))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=r"^t\.fa is no workbook, so it has no sheet 'S'; leave --sheet away\.$"):
        read("t.fa", sheet="S")
    with pytest.raises(Refused, match=r"^t\.csv holds no sequences \(FASTA or FASTQ\), which labels are looked up for"):
        read("t.csv", label="(.)")
    with pytest.raises(Refused, match=r"^--label and --labels are two places of labels; choose one\.$"):
        read("t.fa", label="(.)", labels="t.csv")
    with pytest.raises(Refused, match=r"^there is no file 'labels\.csv'"):
        read("t.fa", labels="labels.csv")


def test_a_table_among_files_of_sequences_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_bytes(RECORD % (1, 1))
    (tmp_path / "b.fa").write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match=r"b\.fa is no file of sequences \(FASTA or FASTQ\)\.$"):
        read(f"{tmp_path}/*.fa")


def test_one_bad_file_in_a_folder_of_sequences_is_left_out_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.fa").write_bytes(RECORD % (1, 1) + RECORD % (2, 0))
    (folder / "b.fq").write_bytes(b"@a\nACGT\n+\nIII\n")
    table = read(folder)
    assert table.frame.height == 2
    assert table.notes[0].startswith(f"1 file cannot be read and is left out: {folder}/b.fq: record 1 has a quality")


def test_files_called_train_and_test_are_no_classes(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.fa").write_bytes(b">a\nACGT\n")
    with pytest.raises(Refused, match=r"holds parts of a data set, not classes \('test', 'train'\)"):
        read(f"{tmp_path}/*.fa")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    content=st.text(">@+ACGTx5-|=;\n\r\t \0\u00e9", max_size=60).map(str.encode) | st.binary(min_size=1, max_size=60),
    name=st.sampled_from(["t.fa", "t.fq", "t.txt"]),
)
@example(content=b">", name="t.fa")
@example(content=b">a\n>", name="t.fa")
@example(content=b"@a\n\n+\n\n", name="t.fq")
@example(content=b"@\n\n+\n", name="t.fq")
@example(content=b"\n\n>a\nAC", name="t.fa")
def test_any_bytes_are_a_table_or_a_refusal(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        table = read(tmp_path / name)
    except Refused as refusal:
        assert is_one_sentence(str(refusal))
        return
    assert table.frame.height > 0
    if table.reading.exact:
        again = getattr(plain, f"read_{table.reading.reader}")(list(table.reading.paths), **table.reading.options)
        assert isinstance(again, pl.DataFrame)
        assert_frame_equal(again, table.frame)
