"""Step 1, prepare and load: every source gives the same table, and says how it was read."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import fastexcel
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from firstlight.data.layout import SEPARATORS, layout_of
from firstlight.data.rows import write_table
from firstlight.data.sources import read
from firstlight.data.table import Table
from firstlight.kinds.number import NUMBER
from firstlight.plain import reading as plain
from firstlight.refusal import Refused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BIRDS = pl.DataFrame(
    {
        "species": ["Adelie", "Gentoo", "Chinstrap", "Gentoo"],
        "bill": [39.1, 47.5, 48.7, None],
        "postcode": ["00420", "01187", "20095", "80331"],
    }
)
BIRDS_AS_TEXT = BIRDS.with_columns(pl.col("bill").cast(pl.String))
CSV = BIRDS.write_csv()
READERS: dict[str, Callable[..., pl.DataFrame]] = {
    "csv": plain.read_csv,
    "excel": plain.read_excel,
    "parquet": plain.read_parquet,
    "arrow": plain.read_arrow,
    "json_lines": plain.read_json_lines,
    "sqlite": plain.read_sqlite,
}


def read_again(table: Table) -> pl.DataFrame:
    """What the reader named in the reading gives for its paths and options."""
    return READERS[table.reading.reader](list(table.reading.paths), **table.reading.options)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def database(path: Path, **tables: pl.DataFrame) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for name, frame in tables.items():
            connection.execute(f'CREATE TABLE "{name}" ({", ".join(frame.columns)})')
            marks = ", ".join("?" * frame.width)
            connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', frame.rows())
        connection.commit()
    return path


ROWS = [list(BIRDS.columns), *map(list, BIRDS.rows())]


# ---- every format


def test_a_clean_csv_is_read_as_text_by_the_few_lines_that_the_script_will_hold(tmp_path: Path) -> None:
    table = read(written(tmp_path / "birds.csv", CSV))
    assert_frame_equal(table.frame, BIRDS_AS_TEXT)
    assert table.notes == ()
    assert table.reading.summary == "comma, utf-8"
    assert table.reading.name == "birds"
    assert table.reading.options == {"separator": ",", "encoding": "utf8"}
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_the_separator_is_found_out_and_said(tmp_path: Path, separator: str) -> None:
    table = read(written(tmp_path / "birds.txt", BIRDS.write_csv(separator=separator)))
    assert_frame_equal(table.frame, BIRDS_AS_TEXT)
    assert table.reading.summary == f"{SEPARATORS[separator]}, utf-8"
    assert table.reading.exact


def test_decimal_commas_between_semicolons_do_not_part_cells(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.csv", "breite;höhe\n1,5;2,5\n3,25;4,75\n"))
    assert table.frame.rows() == [("1,5", "2,5"), ("3,25", "4,75")]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "Latin-1 (Windows-1252)"),
        ("latin-1", "Latin-1 (Windows-1252)"),
    ],
)
def test_the_encoding_is_found_out_said_and_read_again(tmp_path: Path, encoding: str, said: str) -> None:
    table = read(written(tmp_path / "t.csv", "ort,größe\nKöln,1\nZürich,2\n".encode(encoding)))
    assert table.frame.rows() == [("Köln", "1"), ("Zürich", "2")]
    assert table.frame.columns == ["ort", "größe"]
    assert said in table.reading.summary
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("__MACOSX/._birds.csv", b"\0\0")
        archive.writestr("folder/birds.csv", content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("pack", "said", "exact"),
    [
        (gzip.compress, "gzip", True),
        (zstd.compress, "zstd", True),
        (bz2.compress, "bzip2", False),
        (lzma.compress, "xz", False),
        (_zipped, "zip", False),
    ],
)
def test_packing_is_told_by_the_content_whatever_the_name_says(
    tmp_path: Path, pack: Callable[[bytes], bytes], said: str, exact: bool
) -> None:
    table = read(written(tmp_path / "birds.csv", pack(CSV.encode())))
    assert_frame_equal(table.frame, BIRDS_AS_TEXT)
    assert table.reading.summary == f"comma, utf-8, {said}"
    assert table.reading.exact is exact
    if exact:
        assert_frame_equal(read_again(table), table.frame)


def test_parquet_keeps_its_types_and_needs_no_copy(tmp_path: Path) -> None:
    BIRDS.write_parquet(tmp_path / "birds.parquet")
    table = read(tmp_path / "birds.parquet")
    assert_frame_equal(table.frame, BIRDS)
    assert table.reading.exact
    assert_frame_equal(read_again(table), BIRDS)


@pytest.mark.parametrize("suffix", ["arrow", "feather"])
def test_arrow_files_keep_their_types(tmp_path: Path, suffix: str) -> None:
    BIRDS.write_ipc(tmp_path / f"birds.{suffix}")
    table = read(tmp_path / f"birds.{suffix}")
    assert_frame_equal(table.frame, BIRDS)
    assert_frame_equal(read_again(table), BIRDS)


def test_an_arrow_stream_is_read_and_a_copy_asked_for(tmp_path: Path) -> None:
    BIRDS.write_ipc_stream(tmp_path / "birds.arrows")
    table = read(tmp_path / "birds.arrows")
    assert_frame_equal(table.frame, BIRDS)
    assert not table.reading.exact


def test_json_lines_are_typed_by_all_of_their_values(tmp_path: Path) -> None:
    BIRDS.write_ndjson(tmp_path / "birds.jsonl")
    table = read(tmp_path / "birds.jsonl")
    assert_frame_equal(table.frame, BIRDS)
    assert table.reading.exact
    assert_frame_equal(read_again(table), BIRDS)


def test_a_json_list_of_objects_is_a_table(tmp_path: Path) -> None:
    table = read(written(tmp_path / "birds.json", json.dumps(BIRDS.to_dicts(), indent=2)))
    assert_frame_equal(table.frame, BIRDS)


def test_an_xlsx_keeps_its_types(tmp_path: Path) -> None:
    table = read(workbook(tmp_path / "birds.xlsx", Birds=ROWS))
    assert_frame_equal(table.frame, BIRDS)
    assert table.reading.exact
    assert table.notes == ()
    assert_frame_equal(read_again(table), BIRDS)


def test_an_xls_of_old_is_read() -> None:
    table = read(Path(__file__).with_name("test_reading_old.xls"))
    assert table.frame.rows()[0] == ("Adelie", 39.1, 1)
    assert table.reading.summary == 'sheet "Penguins"'
    assert_frame_equal(read_again(table), table.frame)


def test_an_ods_of_libreoffice_is_read(tmp_path: Path) -> None:
    def row(*cells: str | float) -> str:
        return "".join(
            f'<table:table-cell office:value-type="float" office:value="{cell}"/>'
            if isinstance(cell, float)
            else f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
            for cell in cells
        ).join(("<table:table-row>", "</table:table-row>"))

    space = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<office:document-content xmlns:office="{space}:office:1.0" xmlns:table="{space}:table:1.0" '
        f'xmlns:text="{space}:text:1.0"><office:body><office:spreadsheet><table:table table:name="Birds">'
        + row("species", "bill")
        + row("Adelie", 39.1)
        + row("Gentoo", 47.5)
        + "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(tmp_path / "birds.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    assert read(tmp_path / "birds.ods").frame.rows() == [("Adelie", 39.1), ("Gentoo", 47.5)]


def test_the_only_table_of_a_sqlite_file_needs_no_name(tmp_path: Path) -> None:
    path = database(tmp_path / "birds.db", seen=BIRDS)
    for location in (str(path), f"sqlite:///{path}", f"sqlite:///{path}?table=seen"):
        table = read(location)
        assert_frame_equal(table.frame, BIRDS)
        assert table.reading.name == "seen"
        assert_frame_equal(read_again(table), BIRDS)


def test_a_query_selects_from_a_sqlite_file(tmp_path: Path) -> None:
    path = database(tmp_path / "birds.db", seen=BIRDS, other=BIRDS)
    table = read(f"sqlite:///{path}?query=SELECT species, bill FROM seen WHERE bill > 40 ORDER BY bill")
    assert table.frame.rows() == [("Gentoo", 47.5), ("Chinstrap", 48.7)]
    assert table.reading.exact


def test_a_query_cannot_change_the_database(tmp_path: Path) -> None:
    path = database(tmp_path / "birds.db", seen=BIRDS)
    before = path.read_bytes()
    with pytest.raises(Refused, match="attempt to write a readonly database"):
        read(f"sqlite:///{path}?query=WITH one AS (SELECT 1) DELETE FROM seen RETURNING *")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (BIRDS, "a polars frame"),
        (BIRDS.lazy(), "a polars frame"),
        (BIRDS.to_pandas(), "a pandas frame"),
        (BIRDS.to_arrow(), "a pyarrow frame"),
        (BIRDS.to_arrow().to_reader(), "a pyarrow frame"),
    ],
)
def test_frames_are_tables(frame: pl.DataFrame | pl.LazyFrame | pa.Table, said: str) -> None:
    table = read(frame)
    assert_frame_equal(table.frame, BIRDS)
    assert table.reading.location == said
    assert not table.reading.exact


def test_a_pandas_column_of_several_kinds_is_read_as_text_and_an_index_is_pointed_out() -> None:
    table = read(pd.DataFrame({"a": [1, "x", None], 7: [1.5, None, 2.5]}, index=["u", "v", "w"]))
    assert table.frame.to_dict(as_series=False) == {"a": ["1", "x", None], "7": [1.5, None, 2.5]}
    assert table.notes == (
        "the index of the frame is not read; reset_index() makes it a column",
        "'a' holds values of several kinds: read as text",
    )


def test_standard_input_is_a_table_of_any_format(monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = io.BytesIO()
    BIRDS.write_parquet(parquet)
    for content, frame in [(CSV.encode(), BIRDS_AS_TEXT), (parquet.getvalue(), BIRDS)]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        table = read("-")
        assert_frame_equal(table.frame, frame)
        assert not table.reading.exact


# ---- several files


def test_a_pattern_reads_files_one_below_the_other_in_the_order_of_their_names(tmp_path: Path) -> None:
    for month in ("03", "01", "02"):
        written(tmp_path / f"sales-{month}.csv", f"month,sold\n{month},{int(month) * 10}\n")
    table = read(str(tmp_path / "sales-*.csv"))
    assert table.frame["month"].to_list() == ["01", "02", "03"]
    assert table.reading.name == "sales"
    assert [Path(path).name for path in table.reading.paths] == ["sales-01.csv", "sales-02.csv", "sales-03.csv"]
    assert table.reading.summary == "3 files, comma, utf-8"
    assert table.reading.exact
    assert_frame_equal(read_again(table), table.frame)


def test_files_of_a_pattern_may_name_their_columns_in_another_order(tmp_path: Path) -> None:
    written(tmp_path / "1.csv", "a,b\n1,x\n")
    written(tmp_path / "2.csv", "b,a\ny,2\n")
    table = read(str(tmp_path / "*.csv"))
    assert table.frame.rows() == [("1", "x"), ("2", "y")]
    assert not table.reading.exact


def test_a_name_with_brackets_is_one_file(tmp_path: Path) -> None:
    written(tmp_path / "birds1.jsonl", '{"species": "wrong"}\n')
    BIRDS.write_ndjson(tmp_path / "birds[1].jsonl")
    assert_frame_equal(read(tmp_path / "birds[1].jsonl").frame, BIRDS)


# ---- cells


def test_leading_zeros_and_numbers_beyond_64_bits_stay_as_they_stand(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.csv", "zip,id\n00420,10000000000000000000000001\n01187,7\n"))
    assert table.frame.rows() == [("00420", "10000000000000000000000001"), ("01187", "7")]


def test_words_for_missing_become_null_and_honest_answers_stay(tmp_path: Path) -> None:
    missing = ["NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A", "?", "", " ", '""', '"NA"']
    kept = ["None", "-", "none", "0", "inf"]
    lines = [f"r{number},{cell}" for number, cell in enumerate([*missing, *kept])]
    table = read(written(tmp_path / "t.csv", "\n".join(["row,cell", *lines, ""])))
    assert table.frame["cell"].to_list() == [None] * len(missing) + kept


def test_the_same_words_are_missing_in_a_workbook(tmp_path: Path) -> None:
    table = read(workbook(tmp_path / "t.xlsx", S=[["a", "b"], ["x", 1], ["NA", 2], ["y", 3]]))
    assert table.frame["a"].to_list() == ["x", None, "y"]


def test_a_blank_line_in_a_table_of_one_column_is_a_gap(tmp_path: Path) -> None:
    table = read(written(tmp_path / "t.csv", "name\nx\n\ny\n\n\n"))
    assert table.frame["name"].to_list() == ["x", None, "y"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    rows=st.lists(
        st.lists(st.text('abc9,;|\t"\r\n é', max_size=6).map(lambda cell: f"x{cell}x"), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    ),
    separator=st.sampled_from(list(SEPARATORS)),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_wrote_is_read_back_cell_by_cell(
    tmp_path: Path, rows: list[list[str]], separator: str, line_end: str
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(
        [["alpha", "beta", "gamma"], *rows]
    )
    table = read(written(tmp_path / "t.csv", out.getvalue()))
    assert [list(row) for row in table.frame.rows()] == rows
    if table.reading.exact:
        assert_frame_equal(read_again(table), table.frame)


@given(content=st.binary(max_size=60))
def test_the_layout_counts_cells_as_a_csv_reader_does(content: bytes) -> None:
    text = "".join('a,"\n'[byte % 4] for byte in content)
    layout = layout_of(text.encode(), ",")
    if layout.plain_quotes and not layout.open_quote:
        filled = layout.cells[layout.ends > layout.starts]
        expected = [len(row) for row in csv.reader(io.StringIO(text, newline="")) if row]
        assert filled.tolist() == expected


# ---- writing


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_label_that_a_spreadsheet_would_run_is_written_as_text(tmp_path: Path, suffix: str) -> None:
    labels = ["=1+1", "+a", "-b", "@c", "\td", "-1", "plain"]
    frame = pl.DataFrame({"=name": labels, "number": [-1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]})
    write_table(frame, tmp_path / f"out{suffix}")
    back = (
        pl.read_csv(tmp_path / "out.csv", infer_schema=False)
        if suffix == ".csv"
        else fastexcel.read_excel(tmp_path / "out.xlsx").load_sheet(0, dtypes="string").to_polars()
    )
    assert back.columns == ["'=name", "number"]
    assert back["'=name"].to_list() == ["'=1+1", "'+a", "'-b", "'@c", "'\td", "-1", "plain"]
    assert back["number"].to_list()[0] == "-1.5"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_what_is_written_is_read_back_and_twice_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"out{suffix}"
    write_table(BIRDS, path)
    first = path.read_bytes()
    write_table(BIRDS, path)
    assert path.read_bytes() == first
    assert_frame_equal(read(path).frame, BIRDS_AS_TEXT if suffix == ".csv" else BIRDS)


def test_a_written_workbook_does_not_tell_when_it_was_written(tmp_path: Path) -> None:
    write_table(BIRDS, tmp_path / "out.xlsx")
    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        assert re.findall(rb"20\d\d-", archive.read("docProps/core.xml")) == [b"2000-", b"2000-"]
        assert {member.date_time[0] for member in archive.infolist()} == {1980}


def test_an_ending_that_is_none_of_the_three_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"out\.pdf ends in none of \.csv, \.parquet, \.xlsx; name the file"):
        write_table(BIRDS, tmp_path / "out.pdf")


def _as_stream(frame: pl.DataFrame, place: Path) -> Path:
    frame.write_ipc_stream(place)
    return place


def _in_sqlite(frame: pl.DataFrame, place: Path) -> Path:
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("CREATE TABLE t (rate TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", frame.rows())
        connection.commit()
    return place


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda frame, place: frame.write_csv(place) or place, id="csv"),
        pytest.param(lambda frame, place: frame.write_parquet(place) or place, id="parquet"),
        pytest.param(lambda frame, place: frame.write_ipc(place) or place, id="arrow"),
        pytest.param(_as_stream, id="arrow stream"),
        pytest.param(_in_sqlite, id="sqlite"),
        pytest.param(lambda frame, place: frame, id="polars"),
        pytest.param(lambda frame, place: frame.to_pandas(), id="pandas"),
    ],
)
def test_words_for_nothing_are_gaps_wherever_they_come_from(
    written: Callable[[pl.DataFrame, Path], Path | pl.DataFrame | pd.DataFrame], tmp_path: Path
) -> None:
    rates = [f"0.{number}" for number in range(10, 40)] + ["NA", "N/A", "null", ""] * 5
    table = read(written(pl.DataFrame({"rate": rates}), tmp_path / "rates"))
    assert table.frame["rate"].is_null().to_list() == [False] * 30 + [True] * 20
    assert NUMBER.claim(table.frame["rate"]) is not None
