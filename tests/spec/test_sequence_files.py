"""FASTA and FASTQ are tables of ids, sequences and labels, whoever wrote them and however they are packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from firstlight.data.sources import read
from firstlight.data.table import Table
from firstlight.plain import reading as plain
from firstlight.refusal import Refused

FASTA = b">seq0 class:1\nACGT\nACG\n>seq1 class:0\nGGTA\nC\n"
FASTQ = b"@r0 first\nACGT\n+\nIIII\n@r1\nGG\n+r1\n@@\n"


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read_again(table: Table) -> pl.DataFrame:
    """What the reader named in the reading gives for its paths and options."""
    again = getattr(plain, f"read_{table.reading.reader}")(list(table.reading.paths), **table.reading.options)
    assert isinstance(again, pl.DataFrame)
    return again


def records_one_by_one(text: str) -> list[tuple[str, str]]:
    """The records of a FASTA by a plain loop over its lines: another way than the one that is tested."""
    records: list[tuple[str, str]] = []
    for line in io.StringIO(text, newline=None):
        if line.startswith(">"):
            records.append((re.split("[ \t]", line[1:].rstrip("\n").removeprefix(" "))[0], ""))
        elif records:
            records[-1] = (records[-1][0], records[-1][1] + line.rstrip("\n"))
    return records


def test_a_fasta_is_a_table_of_ids_sequences_and_labels(tmp_path: Path) -> None:
    table = read(written(tmp_path / "genes.fa", FASTA))
    assert table.frame.columns == ["id", "sequence", "label"]
    assert table.frame.rows() == [("seq0", "ACGTACG", "1"), ("seq1", "GGTAC", "0")]
    assert table.reading.summary == r"FASTA, label by \bclass[:=] ?([^\s|;,]+) in the headers"
    assert (table.reading.reader, table.reading.name, table.notes) == ("fasta", "genes", ())
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def test_a_fastq_is_a_table_of_ids_and_sequences(tmp_path: Path) -> None:
    table = read(written(tmp_path / "reads.txt", FASTQ))
    assert table.frame.rows() == [("r0", "ACGT"), ("r1", "GG")]
    assert (table.reading.summary, table.notes, table.reading.exact) == ("FASTQ", (), True)
    assert_frame_equal(read_again(table), table.frame)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    records=st.lists(st.tuples(st.text("ab \t1|=", max_size=9), st.text("ACGTacgtN-", max_size=40)), min_size=1),
    width=st.integers(1, 17),
    line_end=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    last_end=st.booleans(),
)
def test_records_are_the_same_however_they_are_wrapped(
    tmp_path: Path, records: list[tuple[str, str]], width: int, line_end: str, last_end: bool
) -> None:
    lines = [
        line
        for header, letters in records
        for line in [f">{header}", *(letters[at : at + width] for at in range(0, len(letters), width))]
    ]
    text = line_end.join(lines) + line_end * last_end
    expected = [record for record in records_one_by_one(text) if record[1]]
    path = written(tmp_path / "t.fa", text.encode())
    if not expected:
        with pytest.raises(Refused, match="has headers and no sequences"):
            read(path)
        return
    table = read(path)
    assert table.frame.select("id", "sequence").rows() == expected
    if table.reading.exact:
        assert_frame_equal(read_again(table), table.frame)


def test_small_letters_gaps_and_rna_stay_as_they_are(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.fa", b">a\nacguRYN--AC\n>b\nACGT\n"))
    assert table.frame["sequence"].to_list() == ["acguRYN--AC", "ACGT"]
    assert (table.notes, table.reading.summary) == ((), "FASTA, with gaps")


@pytest.mark.parametrize(("content", "form"), [(FASTA, "FASTA"), (FASTQ, "FASTQ")])
@pytest.mark.parametrize(
    ("pack", "said", "exact"),
    [
        (gzip.compress, "gzip", True),
        (lambda content: gzip.compress(content[:21]) + gzip.compress(content[21:]), "gzip", True),
        (lambda content: gzip.compress(content) + bytes(512), "gzip", False),
        (bz2.compress, "bzip2", False),
        (lzma.compress, "xz", False),
    ],
)
def test_packed_files_are_read_with_all_their_members(
    tmp_path: Path, content: bytes, form: str, pack: Callable[[bytes], bytes], said: str, exact: bool
) -> None:
    expected = read(written(tmp_path / "t", content)).frame
    table = read(written(tmp_path / "t.gz", pack(content)))
    assert_frame_equal(table.frame, expected)
    assert table.reading.summary.startswith(f"{form}, {said}")
    assert table.reading.exact is exact
    if exact:
        assert_frame_equal(read_again(table), expected)


@pytest.mark.parametrize(("encoding", "exact"), [("utf-8", True), ("utf-8-sig", False), ("utf-16", False)])
def test_an_encoding_of_text_editors_does_not_hide_the_first_record(tmp_path: Path, encoding: str, exact: bool) -> None:
    table = read(written(tmp_path / "t.fa", ">Käfer\nACGT\n>b\nGG\n".encode(encoding)))
    assert table.frame.rows() == [("Käfer", "ACGT"), ("b", "GG")]
    assert table.reading.exact is exact
    if exact:
        assert_frame_equal(read_again(table), table.frame)


def test_standard_input_may_be_a_fasta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FASTA)))
    table = read("-")
    assert table.frame["label"].to_list() == ["1", "0"]
    assert not table.reading.exact


@pytest.mark.parametrize(
    ("headers", "labels"),
    [
        (["a|class=x", "b|class=y"], ["x", "y"]),
        (["a Class: x", "b Class: y"], ["x", "y"]),
        (["a label=0.5", "b label=0.25"], ["0.5", "0.25"]),
        (["chr1:5-9 category=up; more", "chr2:1-2 category=down; more"], ["up", "down"]),
        (["a|1", "b|0"], ["1", "0"]),
        (["a|1|training", "b|0|testing"], ["1", "0"]),
        (["a -1", "b +1"], ["-1", "+1"]),
        (["a|promoter", "b|other"], ["promoter", "other"]),
        (["neg_1", "pos_2"], ["neg", "pos"]),
        (["a of a positive kind", "b"], None),
        (["gi|45478711|ref|NC_005816.1|", "gi|45478712|ref|NC_005817.1|"], None),
        (["sp|P1|ONE", "sp|P2|TWO", "sp|P3|THREE"], None),
    ],
)
def test_labels_are_found_in_headers_as_people_write_them(
    tmp_path: Path, headers: list[str], labels: list[str] | None
) -> None:
    table = read(written(tmp_path / "t.fa", "".join(f">{header}\nACGT\n" for header in headers).encode()))
    assert (table.frame["label"].to_list() if "label" in table.frame.columns else None) == labels
    assert_frame_equal(read_again(table), table.frame)


def test_a_pattern_of_ones_own_finds_the_label_and_is_kept_for_the_script(tmp_path: Path) -> None:
    path = written(tmp_path / "t.fa", b">enh1 class:1\nAC\n>oth2 class:1\nGT\n>x\nTT\n")
    table = read(path, label=r"^([a-z]{3})\d")
    assert table.frame["label"].to_list() == ["enh", "oth", None]
    assert table.notes == ("1 header of 3 is without a label",)
    assert table.reading.options == {"label": r"^([a-z]{3})\d"}
    assert_frame_equal(read_again(table), table.frame)


def test_files_of_a_pattern_are_labelled_by_their_names_where_the_headers_say_nothing(tmp_path: Path) -> None:
    written(tmp_path / "promoters.fa", b">p1\nAC\n")
    written(tmp_path / "others.fa.gz", gzip.compress(b">o1\nGT\n>o2\nTT\n"))
    table = read(f"{tmp_path}/*.fa*")
    assert table.frame.rows() == [("o1", "GT", "others"), ("o2", "TT", "others"), ("p1", "AC", "promoters")]
    assert table.reading.summary == "2 files, FASTA, gzip, label by file name"
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def test_headers_go_before_the_names_of_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / f"{name}.fa", FASTA)
    assert read(f"{tmp_path}/*.fa").frame["label"].to_list() == ["1", "0", "1", "0"]


def test_folders_in_a_folder_are_classes(tmp_path: Path) -> None:
    written(tmp_path / "d" / "up" / "2.fa", b">u2\nAC\n")
    written(tmp_path / "d" / "up" / "1.fa", b">u1\nAG\n")
    written(tmp_path / "d" / "down" / "1.fa", b">d1\nGT\n")
    written(tmp_path / "d" / "down" / ".DS_Store", b"\0\0")
    written(tmp_path / "d" / "notes.csv", b"a,b\n1,2\n")
    table = read(tmp_path / "d")
    assert table.frame.rows() == [("d1", "GT", "down"), ("u1", "AG", "up"), ("u2", "AC", "up")]
    assert table.reading.summary == "3 files, FASTA, label by folder"
    assert table.notes == ("1 other file is left out ('notes.csv')",)
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def test_of_very_many_files_a_copy_is_kept_for_the_script(tmp_path: Path) -> None:
    for number in range(101):
        written(tmp_path / "d" / f"{number % 2}" / f"{number}.fa", b">s\nAC\n")
    table = read(tmp_path / "d")
    assert table.frame["label"].value_counts().sort("label").rows() == [("0", 51), ("1", 50)]
    assert (table.reading.exact, table.reading.paths) == (False, ())


def test_a_second_table_gives_the_labels_by_id(tmp_path: Path) -> None:
    fasta = written(tmp_path / "t.fa", b">a one\nAC\n>b\nGT\n>c\nTT\n>7\nCC\n")
    labels = written(tmp_path / "labels.csv", b"id,promoter\nb,yes\na,no\nz,no\n7,yes\n")
    table = read(fasta, labels=labels)
    assert table.frame.rows() == [("a", "AC", "no"), ("b", "GT", "yes"), ("c", "TT", None), ("7", "CC", "yes")]
    assert table.frame.columns == ["id", "sequence", "label"]
    assert table.notes == (
        f"1 sequence of 4 is not in {labels}: no label",
        f"1 id of {labels} is without a sequence",
    )
    assert table.reading.summary == "FASTA, label by a second table"
    assert not table.reading.exact


def test_a_second_table_may_bring_more_columns_and_its_contradictions_are_left_out(tmp_path: Path) -> None:
    fasta = written(tmp_path / "t.fa", b">a\nAC\n>b\nGT\n")
    frame = pl.DataFrame({"id": ["a", "b", "b"], "label": ["x", "y", "z"], "age": [1, 2, 3], "sequence": ["T"] * 3})
    frame.write_parquet(tmp_path / "labels.parquet")
    table = read(fasta, labels=tmp_path / "labels.parquet")
    assert table.frame.rows() == [("a", "AC", "x", 1), ("b", "GT", None, None)]
    name = f"{tmp_path}/labels.parquet"
    assert table.notes == (
        f"the column 'sequence' of {name} is left out: the sequences come from their own file",
        f"1 id of {name} with several labels is left without one ('b')",
        f"1 sequence of 2 is not in {name}: no label",
    )


def test_a_sequence_may_stand_on_one_very_long_line(tmp_path: Path) -> None:
    letters = b"ACGTTGCA" * 2**18
    table = read(written(tmp_path / "t.fa", b">one\n" + letters + b"\n>two\nAC"))
    assert table.frame["sequence"].to_list() == [letters.decode(), "AC"]
    assert_frame_equal(read_again(table), table.frame)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mirbase_hairpin.fa.gz", (28_645, 2)),
        ("reads_illumina18.fq.gz", (10_000, 2)),
        ("yersinia_pestis_plasmid_pPCP1.fna", (1, 2)),
        ("example_solexa_reads.fastq", (3, 2)),
    ],
)
def test_files_of_data_banks_and_sequencers_are_read(name: str, shape: tuple[int, int], shared: Path) -> None:
    table = read(shared / "data" / "dna" / name)
    assert (table.frame.shape, table.notes, table.reading.exact) == (shape, (), True)
    assert_frame_equal(read_again(table), table.frame)
