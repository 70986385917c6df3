"""Sheets: what is read from real workbooks, and what is said of files that are none."""

import numpy as np
import openpyxl
import pytest
import xlsxwriter
from layouts.common import write_book

from mer_lib.corpora import sheets
from mer_lib.problems import BadInput, collect

COLUMNS = {"subject": ("Subject",), "name": ("Filename",), "onset": ("OnsetFrame",), "units": ("Action Units",)}
HEADER = ("Subject", "Filename", "", "OnsetFrame", "", "Action Units")
ROWS = (("01", "a", None, 46, None, 12), (2, "b", None, 3.0, None, "4+L10"))


def complaint(path, columns=COLUMNS, **options):
    with pytest.raises(BadInput) as error:
        sheets.read(path, columns, **options)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


def test_cells_by_the_names_of_columns_whatever_lies_between(tmp_path):
    first, second = sheets.read(write_book(tmp_path / "s.xlsx", HEADER, ROWS), COLUMNS)
    assert [first.text(name) for name in COLUMNS] == ["01", "a", "46", "12"]
    assert [second.text(name) for name in COLUMNS] == ["2", "b", "3", "4+L10"]
    assert (first.frame("onset"), second.frame("onset")) == (46, 3)
    assert second.where == "s.xlsx line 3"


def test_a_header_below_a_preamble_and_spelt_otherwise(tmp_path):
    path = write_book(tmp_path / "s.xlsx", ("SUBJECT ", "File name", "", "Onset frame", "", "action_units"), ROWS,
                      preamble=[f"line {i}, about the Subject" for i in range(13)])  # fmt: skip
    rows = sheets.read(path, COLUMNS)
    assert [row.where for row in rows] == ["s.xlsx line 15", "s.xlsx line 16"] and rows[0].frame("onset") == 46


def test_a_sheet_without_a_header_by_position(tmp_path):
    path = write_book(tmp_path / "s.xlsx", (1, "anger1_1", 557, 572), [(2, "b", 3, 4)])
    rows = sheets.read(path, ["subject", "name", "onset"])
    assert [row.frame("onset") for row in rows] == [557, 3] and rows[0].where == "s.xlsx line 1"


def test_formulas_give_their_cached_values(tmp_path):
    path = write_book(tmp_path / "s.xlsx", HEADER, [("1", "a", None, ("=40+6", 46), None, "1")])
    assert sheets.read(path, COLUMNS)[0].frame("onset") == 46


def test_formulas_that_nobody_calculated_are_told(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    book.active.append(("1", "a", None, "=40+6", None, "1"))
    book.save(tmp_path / "s.xlsx")
    told = complaint(tmp_path / "s.xlsx")
    assert "column onset holds formulas without values; open it in a spreadsheet program and save it" in told


def test_merged_cells_all_hold_the_first_ones_value(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "s.xlsx") as book:
        page = book.add_worksheet()
        for line, cells in enumerate((HEADER, ("", "a", "", 1), ("", "b", "", 2), ("7", "c", "", 3))):
            page.write_row(line, 0, cells)
        page.merge_range(1, 0, 2, 0, "01")
    assert [row.text("subject") for row in sheets.read(tmp_path / "s.xlsx", COLUMNS)] == ["01", "01", "7"]


def test_blank_rows_are_passed_over_and_remarks_told(tmp_path):
    path = write_book(tmp_path / "s.xlsx", HEADER, ROWS, below=((), (), ("", "all coded by two people")))
    with collect() as problems:
        rows = sheets.read(path, COLUMNS, keys=("subject", "name"))
    assert len(rows) == 2
    assert [str(p) for p in problems] == [
        "s.xlsx line 6: has no subject: taken for a remark; fill the cell if it is a clip"
    ]


@pytest.mark.parametrize("unknown", ["/", "", None, "-", "n/a", "NA", "None", "?"])
def test_what_stands_for_an_unknown_frame(unknown):
    assert sheets.Row("s line 2", {"apex": unknown}).frame("apex") is None


def test_numbers_that_stand_for_an_unknown_frame_are_named_by_the_set():
    row = sheets.Row("s line 2", {"apex": -1, "offset": 0})
    assert row.frame("apex", unknown=(-1,)) is None and row.frame("offset") == 0


@pytest.mark.parametrize("cell", ["soon", "12a", 1.5, -3, "1,5", "inf"])
def test_what_is_no_frame_is_refused_by_column_and_line(cell):
    with pytest.raises(BadInput, match=r"^s\.xlsx line 2: apex '.*' is no (frame )?number; correct the cell$"):
        sheets.Row("s.xlsx line 2", {"apex": cell}).frame("apex")


def test_fractions_are_numbers_where_they_are_asked_for():
    assert sheets.Row("s line 2", {"onset": "12.5"}).number("onset") == 12.5


def test_a_renamed_column_is_told_with_the_nearest_name(tmp_path):
    path = write_book(tmp_path / "s.xlsx", ("Subject", "Filename", "", "On-set frames", "", "Action Units"), ROWS)
    told = complaint(path)
    assert "no column 'OnsetFrame' in the header (line 1); did you mean 'On-set frames'?; name it 'OnsetFrame'" in told


def test_a_sheet_of_something_else(tmp_path):
    told = complaint(write_book(tmp_path / "s.xlsx", ("a", "b"), [(1, 2)]))
    assert "no column 'Subject' in the first 40 rows" in told


def test_optional_columns_are_empty_where_they_are_absent(tmp_path):
    path = write_book(tmp_path / "s.xlsx", HEADER[:5], ROWS)
    assert sheets.read(path, COLUMNS, optional=("units",))[0].text("units") == ""


def test_a_header_without_rows(tmp_path):
    assert "no rows below its header" in complaint(write_book(tmp_path / "s.xlsx", HEADER, ()))


def test_a_missing_sheet_is_told_with_the_nearest_name(tmp_path):
    path = write_book(tmp_path / "s.xlsx", HEADER, ROWS, page="MICRO_only2", others=("Notes",))
    assert "no sheet 'MICRO_ONLY' in the workbook; did you mean 'MICRO_only2'?" in complaint(path, sheet="MICRO_ONLY")


def test_a_sheets_name_is_compared_without_case_and_signs(tmp_path):
    path = write_book(tmp_path / "s.xlsx", HEADER, ROWS, page="Micro only")
    assert len(sheets.read(path, COLUMNS, sheet="MICRO_ONLY")) == 2
    assert sheets.sheet_names(path) == ["Micro only"]


def broken(path):
    whole = write_book(path, HEADER, ROWS).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def a_zip_of_something_else(path):
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no workbook")


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p.write_bytes(b""), "is empty (0 bytes)"),
        (broken, "is a broken xlsx file"),
        (a_zip_of_something_else, "is a broken xlsx file"),
        (lambda p: p.write_text("<html>log in first</html>"), "is no xlsx file"),
        (lambda p: p.write_bytes(OLE), "is an old Excel file (xls); open it and save it as xlsx"),
        (lambda p: p.write_bytes(OLE + "EncryptedPackage".encode("utf-16-le")), "is protected by a password"),
        (lambda p: p.mkdir(), "cannot be read (Is a directory)"),
        (lambda p: None, "cannot be read (No such file or directory)"),
    ],
    ids=["empty", "cut", "zip", "html", "xls", "encrypted", "folder", "absent"],
)
def test_a_file_that_is_no_sheet(tmp_path, make, words):
    make(tmp_path / "s.xlsx")
    assert words in complaint(tmp_path / "s.xlsx")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_with_any_separator(tmp_path, mark):
    lines = (HEADER, ("01", "ä", "", "46", "", "4+L10"))
    (tmp_path / "s.csv").write_text("\n".join(mark.join(line) for line in lines), encoding="utf-8-sig")
    row = sheets.read(tmp_path / "s.csv", COLUMNS)[0]
    assert (row.text("subject"), row.text("name"), row.frame("onset")) == ("01", "ä", 46)


def test_csv_in_another_encoding(tmp_path):
    (tmp_path / "s.csv").write_bytes("Subject,Filename\n1,ä".encode("latin-1"))
    assert "is no UTF-8 text; save it as UTF-8, or as xlsx" in complaint(tmp_path / "s.csv")


def test_a_sheet_formatted_to_the_last_column_and_row_is_read_as_far_as_it_goes(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "s.xlsx") as book:
        page, grey = book.add_worksheet(), book.add_format({"bg_color": "gray"})
        for line, cells in enumerate((HEADER, *ROWS)):
            page.write_row(line, 0, cells)
        page.write_blank(3000, 16_383, None, grey)
    assert len(sheets.read(tmp_path / "s.xlsx", COLUMNS)) == 2


@pytest.mark.parametrize("text", ["1_2", "1e30", "-1", "2.5", "inf"])
def test_what_python_takes_for_a_number_need_be_no_frame(text):
    with pytest.raises(BadInput, match=r"is no (frame )?number"):
        sheets.Row("a.xlsx line 2", {"onset": text}).frame("onset")


def test_a_damaged_workbook_has_its_line_wherever_it_fails(tmp_path):
    path = write_book(tmp_path / "a.xlsx", ("Subject", "Filename"), [(1, f"EP{i:03d}") for i in range(200)])
    whole, rng, told = path.read_bytes(), np.random.default_rng(0), set()
    for _ in range(60):
        broken = np.frombuffer(whole, np.uint8).copy()
        broken[rng.integers(len(broken), size=5)] = rng.integers(256, size=5)
        path.write_bytes(broken.tobytes())
        try:
            sheets.read(path, {"subject": ("Subject",)})
        except BadInput as error:
            told.add(str(error))
    assert any("decompressing" in line for line in told) and not any("\n" in line for line in told)


def test_a_csv_file_whose_preamble_has_no_mark_or_that_is_none(tmp_path):
    (tmp_path / "a.csv").write_text("A title, and more\n\nSubject;Filename\n1;a\n2;b\n")
    assert [row.text("name") for row in sheets.read(tmp_path / "a.csv", {"name": ("Filename",)})] == ["a", "b"]
    (tmp_path / "b.csv").write_text('Subject,Filename\n1,"' + "x" * 200_000)
    with pytest.raises(BadInput, match="is no CSV file"):
        sheets.read(tmp_path / "b.csv", {"name": ("Filename",)})


def test_a_sheet_without_its_header_says_so(tmp_path):
    path = write_book(tmp_path / "a.xlsx", (1, "a"), [(2, "b")])
    with pytest.raises(BadInput, match="no column 'Filename' in the first 40 rows; get the sheet again"):
        sheets.read(path, {"name": ("Filename",)})
