"""Bad input: each source is read, read with a note, or refused in one sentence; never a traceback, never silence."""

from __future__ import annotations

import gzip
import io
import re
import sqlite3
import subprocess
import sys
import time
import tomllib
import zipfile
from contextlib import closing
from pathlib import Path

import openpyxl
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from firstlight.data import packing
from firstlight.data.sources import read
from firstlight.data.table import Table
from firstlight.plain import reading as plain
from firstlight.refusal import Refused

BADINPUT = Path(__file__).resolve().parents[3] / "shared" / "data" / "badinput"
MANIFEST = tomllib.loads((BADINPUT / "MANIFEST.toml").read_text(encoding="utf-8"))["file"] if BADINPUT.is_dir() else []
OLD_WORKBOOK = Path(__file__).resolve().parents[1] / "spec" / "test_reading_old.xls"
TABLE_KINDS = ("csv", "json", "parquet", "xlsx")
TABLES = [entry for entry in MANIFEST if entry["kind"] in TABLE_KINDS or entry["name"].endswith(".csv")]
# Those of sequences, texts, pictures and videos have tests of their own beside this file.
OTHERS = ("fasta", "fastq", "text", "image", "video", "zip")
STRANGERS = [entry for entry in MANIFEST if entry not in TABLES and entry["kind"] not in OTHERS]

# What the list expects of a whole fit, and reading alone cannot know: the cells are left as they stand.
LEFT_TO_OTHERS = {
    "csv_3000_columns.csv": "the plan: far more columns than rows",
    "csv_constant_target.csv": "the plan: which column is the target",
    "csv_one_row.csv": "the split: one row can be predicted, and cannot be tested",
    "csv_target_half_missing.csv": "the plan: which column is the target",
    "csv_currency_percent.csv": "kinds: numbers dressed as text",
    "csv_dates_mixed.csv": "kinds: dates",
    "csv_decimal_comma.csv": "kinds: decimal commas",
    "csv_thousands_dots.csv": "kinds: thousands",
    "csv_huge_ints.csv": "kinds: identifiers",
    "csv_inf_nan_words.csv": "kinds: words in a column of numbers",
}
# What the note or the refusal has to speak of.
SAYS = {
    "csv_comment_lines.csv": "3 lines before the header are skipped",
    "csv_duplicate_headers.csv": "'bill_mm' stands twice",
    "csv_empty_column.csv": "1 column without a name or a value is left out",
    "csv_gzip_bomb.csv.gz": "unpacks to 1 028 times its size",
    "csv_gzip_twice.csv.gz": "packed 2 times over",
    "csv_header_only.csv": "has a header and no rows",
    "csv_latin1.csv": "read as Latin-1",
    "csv_mixed_encodings.csv": "two encodings in one file",
    "csv_named.xlsx": "the name ends in .xlsx, the file is csv",
    "csv_no_header.csv": "there is no header row",
    "csv_nul_bytes.csv": "3 NUL bytes were removed",
    "csv_padded_names.csv": "blanks around",
    "csv_ragged.csv": "lines 6, 10 and 21 do not have the 7 cells",
    "csv_total_row.csv": "the last row ('TOTAL') looks like a total",
    "csv_truncated.csv.gz": "cut off: the gzip file is not whole",
    "csv_unclosed_quote.csv": "a quote in line 13 is not closed",
    "csv_units_row.csv": "the row below the header holds units (mm, g)",
    "csv_zero.csv": "is empty",
    "json_100000_brackets.json": "nested too deeply",
    "json_nan_words.json": "NaN, Infinity stand among the numbers",
    "json_nested.json": "'size', 'tags' hold nested values",
    "json_one_bad_line.jsonl": "line 8 is no JSON object",
    "parquet_nested.parquet": "'v', 's' hold nested values",
    "parquet_no_rows.parquet": "has columns and no rows",
    "parquet_truncated.parquet": "cut off or damaged",
    "txt_hidden_characters.csv": "hidden characters",
    "xls_is_html.xls": "is a web page; save its table as csv",
    "xlsx_empty.xlsx": "the sheet is empty",
    "xlsx_error_cells.xlsx": "8 error cells (#DIV/0! and its like) taken as missing",
    "xlsx_formulas_no_values.xlsx": "'sum' holds formulas without results",
    "xlsx_hidden_rows.xlsx": "10 hidden rows and 1 hidden column are read too",
    "xlsx_merged_cells.xlsx": "the header has two rows with merged cells",
    "xlsx_password.xlsx": "protected by a password, or damaged",
    "xlsx_three_sheets.xlsx": "sheet 'Penguins' is read, number 2 of 3; --sheet NAME takes another",
    "xlsx_title_above_table.xlsx": "2 rows above the table are skipped",
    "xlsx_truncated.xlsx": "cut off or damaged",
}
ROWS_OF = {
    "csv_ragged.csv": (60, 7), "csv_quoted_newlines.csv": (20, 2), "csv_total_row.csv": (40, 3),
    "csv_units_row.csv": (60, 7), "csv_no_header.csv": (60, 7), "csv_sep_line.csv": (60, 7),
    "csv_nul_bytes.csv": (60, 7),
    "csv_gzip_bomb.csv.gz": (12_000_000, 2), "csv_formula_injection.csv": (34, 2), "json_one_bad_line.jsonl": (19, 2),
    "xlsx_title_above_table.xlsx": (60, 7), "xlsx_merged_cells.xlsx": (60, 4), "xlsx_three_sheets.xlsx": (60, 7),
    "xlsx_hidden_rows.xlsx": (60, 7), "xlsx_error_cells.xlsx": (40, 3), "csv_3000_columns.csv": (12, 3001),
}  # fmt: skip

needs_badinput = pytest.mark.skipif(not MANIFEST, reason="the bad input lies in shared/ beside the checkout")


def is_one_sentence(text: str) -> bool:
    return text[:1] != " " and "\n" not in text and len(text) < 400


def read_again(table: Table) -> pl.DataFrame:
    reader = getattr(plain, f"read_{table.reading.reader}")
    again = reader(list(table.reading.paths), **table.reading.options)
    assert isinstance(again, pl.DataFrame)
    return again


@needs_badinput
@pytest.mark.parametrize("entry", TABLES, ids=[entry["name"] for entry in TABLES])
def test_each_odd_table_is_read_noted_or_refused_as_its_list_says(
    entry: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BADINPUT)
    name = entry["name"]
    expected = "read" if name in LEFT_TO_OTHERS else entry["expect"]
    if expected == "refuse in one sentence":
        with pytest.raises(Refused, match=f"(?s)^{re.escape(name)}.*{re.escape(SAYS[name])}") as refusal:
            read(name)
        assert is_one_sentence(str(refusal.value))
        return
    table = read(name)
    assert all(map(is_one_sentence, table.notes))
    assert SAYS.get(name, "") in " | ".join(table.notes)
    assert bool(table.notes) == (expected == "read with a note")
    assert table.frame.shape == ROWS_OF.get(name, table.frame.shape)
    if table.reading.exact:
        assert_frame_equal(read_again(table), table.frame)


@needs_badinput
@pytest.mark.parametrize("entry", STRANGERS, ids=[entry["name"] for entry in STRANGERS])
def test_what_is_no_table_is_refused_in_one_sentence(
    entry: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(BADINPUT)
    with pytest.raises(Refused) as refusal:
        read(entry["name"])
    assert is_one_sentence(str(refusal.value))
    assert capfd.readouterr() == ("", "")


@needs_badinput
def test_mixed_encodings_give_one_class_and_not_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BADINPUT)
    assert read("csv_mixed_encodings.csv").frame["species"].unique().to_list() == ["Adélie"]


@needs_badinput
def test_a_merged_label_stands_in_each_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BADINPUT)
    frame = read("xlsx_merged_cells.xlsx").frame
    assert frame.columns == ["Species", "Bill length", "Bill depth", "Body mass"]
    assert frame["Species"].null_count() == 0
    assert frame.dtypes == [pl.String, pl.Float64, pl.Float64, pl.Int64]


# ---- where nothing is


def test_a_missing_file_is_answered_before_polars_is_loaded_and_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "penguins.csv").write_text("a,b\n1,2\n")
    program = (
        "import sys\n"
        "from firstlight.data.sources import read\n"
        "try:\n    read('pengins.csv')\n"
        "except Exception as error:\n    print(error)\n"
        "print(sorted({'polars', 'numpy', 'torch', 'narwhals'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "there is no file 'pengins.csv'; did you mean 'penguins.csv'?\n[]\n"


def test_a_missing_file_in_a_full_folder_is_answered_fast(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"measurement-{number:05d}.csv").touch()
    start = time.perf_counter()
    with pytest.raises(Refused, match="there is no file"):
        read(tmp_path / "measurment-00001.csv")
    assert time.perf_counter() - start < 0.5


def test_a_file_is_no_folder_that_may_have_been_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dat").mkdir()
    (tmp_path / "data").touch()  # nearer
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=r"^there is no folder 'dataa'; did you mean 'dat/a\.csv'\?$"):
        read("dataa/a.csv")


def test_a_missing_folder_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=r"^there is no folder 'dat'; did you mean 'data/a\.csv'\?$"):
        read("dat/a.csv")


def test_a_folder_is_refused_with_the_pattern_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=r"^data is a folder; name a file in it, or a pattern such as 'data/\*\.csv'\.$"):
        read("data")


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("", "the name of the source is empty"),
        ("*.csv", "no file matches"),
        ("/dev/null", "is a device, not a file"),
        ("https://example.org/a.csv", "is an address"),
        ("postgresql://host/db", "is an address"),
        ("sqlite://a.db", "with three slashes"),
        ("sqlite:///none.db?table=a", "there is no file"),
        ("x" * 5000, "cannot be read|there is no file"),
        ("a\0b", "the name of the source"),
    ],
)
def test_a_place_without_a_table_is_refused(
    location: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=says):
        read(location)


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"a,b\n", b"sep=;\n", b"sep=;\na;b\n", b"[]", b"[1, 2]", b"{"])
def test_a_file_without_a_row_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(Refused) as refusal:
        read(tmp_path / "t.csv")
    assert is_one_sentence(str(refusal.value))


def test_empty_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(Refused, match=r"^standard input is empty\.$"):
        read("-")


@pytest.mark.parametrize(
    "frame",
    [pl.DataFrame(), pl.DataFrame({"a": []}), pd.DataFrame([[1, 2]], columns=["a", "a"]), [1, 2], {"a": [1]}, None, 3],
)
def test_what_is_no_frame_with_rows_is_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(Refused) as refusal:
        read(frame)
    assert is_one_sentence(str(refusal.value))


# ---- names and widths


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,a,b,a,a_2\n1,2,3,4,5\n")
    table = read(tmp_path / "t.csv")
    assert table.frame.columns == ["a", "a_3", "b", "a_4", "a_2"]
    assert table.notes == ("'a' stands 3 times among the names of columns: read as 'a', 'a_3', 'a_4'",)


def test_two_thousand_columns_are_read(tmp_path: Path) -> None:
    names = [f"g{place}" for place in range(2000)]
    frame = pl.DataFrame({name: [str(place), "x"] for place, name in enumerate(names)})
    frame.write_csv(tmp_path / "wide.csv")
    table = read(tmp_path / "wide.csv")
    assert_frame_equal(table.frame, frame)
    assert table.reading.exact


def test_years_as_names_of_columns_are_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("country,2019,2020\nPeru,1,2\nChad,3,4\n")
    assert read(tmp_path / "t.csv").frame.columns == ["country", "2019", "2020"]


def test_numbers_over_numbers_are_no_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,3.3,virginica\n")
    table = read(tmp_path / "t.csv")
    assert table.frame.columns == ["column_1", "column_2", "column_3"]
    assert table.frame.height == 3


def test_row_names_as_r_writes_them_get_a_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"mpg","cyl"\n"Mazda",21,6\n"Fiat",32,4\n')
    table = read(tmp_path / "t.csv")
    assert table.frame.columns == ["column_1", "mpg", "cyl"]
    assert table.frame.rows()[0] == ("Mazda", "21", "6")


def test_stray_text_in_the_first_row_of_numbers_is_no_row_of_units(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("label,x\na,low\nb,2\na,3\nb,4\n")
    assert read(tmp_path / "t.csv").frame.height == 4


def test_a_last_row_called_total_that_is_no_total_stays(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("brand,litres\nShell,1\nEsso,2\nAral,5\nTotal,4\n")
    assert read(tmp_path / "t.csv").frame["brand"].to_list() == ["Shell", "Esso", "Aral", "Total"]


def test_inches_and_other_quotes_inside_cells_are_letters(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('item,size\npipe,5" wide\nhose,"6 "" long"\nrod,7"\n')
    assert read(tmp_path / "t.csv").frame["size"].to_list() == ['5" wide', '6 " long', '7"']


def test_blanks_before_quotes_and_backslashes_in_them_are_understood(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a, b\nx, "one, two"\ny, "say \\"hi\\", twice"\n')
    assert read(tmp_path / "t.csv").frame.rows() == [("x", "one, two"), ("y", 'say "hi", twice')]


def test_prose_is_not_taken_for_a_table_of_many_columns(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("Dear all,\nplease, read, this, soon.\nYours\nMe, myself\nand, so, on\n")
    assert read(tmp_path / "t.txt").frame.width == 1


# ---- workbooks and databases


@pytest.fixture
def three_sheets(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Read me"
    book.active.append(["Measured in 2009"])
    for name in ("Birds", "Fish"):
        sheet = book.create_sheet(name)
        for row in (["name", "mass"], [name, 1.5], ["other", 2.5]):
            sheet.append(row)
    book.save(tmp_path / "zoo.xlsx")
    return tmp_path / "zoo.xlsx"


def test_of_three_sheets_the_first_that_holds_a_table_is_read_and_named(three_sheets: Path) -> None:
    table = read(three_sheets)
    assert table.frame["name"].to_list() == ["Birds", "other"]
    assert table.reading.summary == 'sheet "Birds" of 3'
    assert table.notes == ("sheet 'Birds' is read, number 2 of 3; --sheet NAME takes another ('Read me', 'Fish')",)


def test_a_sheet_can_be_chosen(three_sheets: Path) -> None:
    table = read(three_sheets, sheet="Fish")
    assert table.frame["name"].to_list() == ["Fish", "other"]
    assert table.notes == ()


def test_a_misspelt_sheet_is_refused_with_the_nearest(three_sheets: Path) -> None:
    with pytest.raises(Refused, match=r"zoo\.xlsx has no sheet 'bird'; did you mean 'Birds'\?$"):
        read(three_sheets, sheet="bird")


def test_a_sheet_of_a_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match=r"is no workbook, so it has no sheet 'x'; leave --sheet away\.$"):
        read(tmp_path / "t.csv", sheet="x")


@pytest.fixture
def two_tables(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (id, total)")
        connection.execute("CREATE TABLE customers (id, name)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(n, n * 1.5) for n in range(2000)])
        connection.commit()
    return tmp_path / "shop.db"


def test_of_several_tables_of_a_database_none_is_guessed(two_tables: Path) -> None:
    with pytest.raises(Refused, match=r"shop\.db holds 2 tables: 'customers', 'orders'; name one: sqlite:///.*table="):
        read(two_tables)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("table=order", "has no table 'order'; did you mean 'orders'"),
        ("tabel=orders", "asks for 'tabel'; did you mean 'table'"),
        ("table=orders&query=SELECT 1", "more than one thing"),
        ("query=SELEC 1", "syntax error|not valid"),
        ("query=SELECT id, id FROM orders", "id"),
        ("table=customers", "gives no rows"),
    ],
)
def test_a_wrong_question_to_a_database_is_refused(two_tables: Path, asked: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as refusal:
        read(f"sqlite:///{two_tables}?{asked}")
    assert is_one_sentence(str(refusal.value))


# ---- several files


def test_files_with_other_columns_are_refused_naming_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "s2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(Refused, match=r"^s2\.csv has no column 'b', other than s1\.csv: files of one pattern need"):
        read("s*.csv")


# ---- cut off


@pytest.fixture
def whole_files(tmp_path: Path, two_tables: Path) -> dict[str, bytes]:
    frame = pl.DataFrame({"name": [f"row {n}" for n in range(500)], "value": [n * 0.5 for n in range(500)]})
    made = {"gz": gzip.compress(frame.write_csv().encode()), "db": two_tables.read_bytes()}
    for suffix in ("parquet", "ipc", "xlsx"):
        out = io.BytesIO()
        if suffix == "parquet":
            frame.write_parquet(out)
        elif suffix == "ipc":
            frame.write_ipc(out)
        else:
            frame.write_excel(out)
        made[suffix] = out.getvalue()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", frame.write_csv())
    made["zip"] = out.getvalue()
    return made


@pytest.mark.parametrize("suffix", ["gz", "parquet", "ipc", "xlsx", "zip", "db"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_off_anywhere_is_refused(
    whole_files: dict[str, bytes], suffix: str, share: float, tmp_path: Path
) -> None:
    whole = whole_files[suffix]
    (tmp_path / f"cut.{suffix}").write_bytes(whole[: int(len(whole) * share)])
    location = f"sqlite:///{tmp_path / 'cut.db'}?table=orders" if suffix == "db" else str(tmp_path / f"cut.{suffix}")
    with pytest.raises(Refused) as refusal:
        read(location)
    assert is_one_sentence(str(refusal.value))


def test_an_old_workbook_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = OLD_WORKBOOK.read_bytes()
    for size in range(8, len(whole) - 512, 97):
        (tmp_path / "cut.xls").write_bytes(whole[:size])
        with pytest.raises(Refused):
            read(tmp_path / "cut.xls")


def test_an_old_workbook_whose_chains_run_in_a_circle_is_refused_before_it_takes_all_memory(tmp_path: Path) -> None:
    whole = bytearray(OLD_WORKBOOK.read_bytes())
    table = (int.from_bytes(whole[76:80], "little") + 1) * 512
    folder = int.from_bytes(whole[48:52], "little")
    whole[table + 4 * folder : table + 4 * folder + 4] = folder.to_bytes(4, "little")
    (tmp_path / "circle.xls").write_bytes(whole)
    with pytest.raises(Refused, match="is a workbook that is cut off or damaged"):
        read(tmp_path / "circle.xls")


@pytest.mark.parametrize("byte", [0x00, 0x7B, 0xFF])
def test_an_old_workbook_with_a_wrong_byte_anywhere_is_a_table_or_a_refusal(byte: int, tmp_path: Path) -> None:
    whole = OLD_WORKBOOK.read_bytes()
    for place in range(8, len(whole), 13):
        (tmp_path / "wrong.xls").write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
        try:
            assert read(tmp_path / "wrong.xls").frame.height > 0
        except Refused as refusal:
            assert is_one_sentence(str(refusal))


def test_a_lone_cell_in_the_far_corner_of_a_sheet_is_refused_before_it_takes_all_memory(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b"], [1, 2], [3, 4]):
        book.active.append(row)
    book.active["XFD1048576"] = 5
    book.save(tmp_path / "far.xlsx")
    with pytest.raises(Refused, match="a sheet reaches over 1 048 576 rows and 16 384 columns; delete the lone cells"):
        read(tmp_path / "far.xlsx")


def test_a_csv_cut_off_in_the_middle_of_a_line_loses_that_line_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\n4,5,6\n7,8")
    table = read(tmp_path / "t.csv")
    assert table.frame.rows() == [("1", "2", "3"), ("4", "5", "6")]
    assert table.notes == (
        "the last line (4) is cut off: it has 2 of 3 cells and no line end; it is left out, and more may be missing",
    )


def test_a_csv_cut_off_in_the_middle_of_a_quote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1,"one"\n2,"two\n')
    with pytest.raises(Refused, match=r"t\.csv: a quote in line 3 is not closed; close it, or take it away, and try"):
        read(tmp_path / "t.csv")


def test_what_unpacks_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALL_BYTES", 2**20)
    monkeypatch.setattr(packing, "LARGEST_RATIO", 100)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"x,y\n" + b"0,0\n" * 2**20))
    with pytest.raises(Refused, match="unpacks to more than 100 times its size"):
        read(tmp_path / "bomb.csv.gz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(content=st.binary(min_size=1, max_size=200) | st.text('a,;|\t"\r\n1.#={}[]:\0é', max_size=60).map(str.encode))
@example(content=b"\xff\xfea")
@example(content=b'"')
@example(content=b'a,b\n"')
@example(content=b"{}\n{}")
@example(content=b"PK\x03\x04")
@example(content=b"PAR1")
@example(content=b"\x1f\x8b")
def test_any_bytes_are_a_table_or_a_refusal(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    try:
        table = read(tmp_path / "t.csv")
    except Refused as refusal:
        assert is_one_sentence(str(refusal))
        return
    assert table.frame.height > 0
    assert len(set(table.frame.columns)) == table.frame.width
    if table.reading.exact:
        assert_frame_equal(read_again(table), table.frame)
