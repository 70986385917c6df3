"""Own recordings and their sheet: what is found, what is forgiven, and what is refused by name."""

import pytest

from mer_lib import registry
from mer_lib.corpora.folder import index
from mer_lib.problems import BadInput, collect

CLASSES = ("negative", "positive", "surprise")
HEADER = "name,subject,onset,apex,offset,label\n"


@pytest.fixture
def root(tmp_path):
    for name in ("smile.mp4", "frown.MOV", "anna/gaze.mkv", "anna/both.mp4", "Größe é.avi", "one.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("frames_01", "anna/frames_02", "anna/both"):
        (tmp_path / name).mkdir()
    return tmp_path


def read(root, *rows, header=HEADER, encoding="utf-8"):
    (root / "clips.csv").write_bytes((header + "".join(f"{row}\n" for row in rows)).encode(encoding))
    with collect() as problems:
        return index(root, name="own", classes=CLASSES), problems


def refused(root, row, header=HEADER):
    """The one problem of a row, beside a good one that goes on."""
    columns = len(header.split(","))
    table, problems = read(root, "smile,other" + "," * (columns - 2), row, header=header)
    assert table["clip"].tolist() == ["own/other/smile"]
    assert [p.severity for p in problems] == ["skipped"]
    assert problems[0].file == "clips.csv line 3"
    return str(problems[0])


def test_it_is_registered_and_has_no_options_beyond_name_and_classes():
    entry = registry.get("corpus", "folder")
    assert entry.load() is index and entry.options == {}


def test_a_sheet_becomes_a_clip_table(root):
    table, problems = read(root, "smile,anna,12,30,55,positive", "frames_01,ben,,,,")
    first, second = table.to_dict("records")
    assert not problems
    assert (first["clip"], first["subject"], first["dataset"]) == ("own/anna/smile", "own/anna", "own")
    assert (first["onset"], first["apex"], first["offset"], first["label"]) == (12, 30, 55, "positive")
    assert (first["source"], first["kind"], first["type"], first["flags"]) == ("smile.mp4", "video", "micro", "")
    assert (second["source"], second["kind"], second["label"]) == ("frames_01", "frames", "")
    assert table.loc[1, ["frames", "fps", "onset", "apex", "offset"]].isna().all() and second["flags"] == "no apex"


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("smile", "smile.mp4", "video"),
        ("smile.mp4", "smile.mp4", "video"),
        ("frown", "frown.MOV", "video"),
        ("gaze", "anna/gaze.mkv", "video"),
        ("anna/gaze.mkv", "anna/gaze.mkv", "video"),
        ("frames_02", "anna/frames_02", "frames"),
        ("Gro\u0308ße e\u0301", "Größe é.avi", "video"),  # typed on a system that decomposes letters
        ("both.mp4", "anna/both.mp4", "video"),
        ("one", "one.jpg", "frames"),  # one picture: reading it says why that is no clip
    ],
)
def test_media_are_found_with_and_without_ending_and_under_the_subject(root, name, source, kind):
    table, problems = read(root, f"{name},anna,,,,")
    assert not problems and table.loc[0, ["source", "kind"]].tolist() == [source, kind]


def test_a_folder_goes_before_a_video_of_the_same_name_only_if_named_so(root):
    table, _ = read(root, "both,anna,,,,")
    assert table.loc[0, "source"] == "anna/both"  # the very name before a name without its ending


def test_further_columns_other_separators_and_empty_cells(root):
    header = "Name ;SUBJECT;fps;emotion;action_units;source;apex\n"
    table, problems = read(root, "x;01;200;disgust;4+L10;smile.mp4;/", header=header, encoding="utf-8-sig")
    row = table.to_dict("records")[0]
    assert (row["clip"], row["fps"], row["emotion"], row["action_units"]) == ("own/01/x", 200, "disgust", "4+L10")
    assert row["source"] == "smile.mp4" and not problems


def test_several_clips_of_one_recording_carry_their_onset(root):
    table, _ = read(root, "smile,anna,5,,9,", "smile,anna,20,,30,", "smile,ben,,,,")
    assert table["clip"].tolist() == ["own/anna/smile@5", "own/anna/smile@20", "own/ben/smile"]


def test_a_name_with_and_without_its_ending_is_one_recording(root):
    table, problems = read(root, "smile,anna,5,,9,", "smile.mp4,anna,20,,30,", "smile.mp4,ben,,,,")
    assert table["clip"].tolist() == ["own/anna/smile@5", "own/anna/smile@20", "own/ben/smile"] and not problems


def test_one_person_in_two_unicode_forms_is_one_person(root):
    (root / "Zoe\u0308").mkdir()  # copied from a system that decomposes letters
    (root / "Zoe\u0308" / "take.mp4").touch()
    table, problems = read(root, "take,Zo\u00eb,5,,9,", "take,Zoe\u0308,20,,30,")
    assert not problems and table["subject"].tolist() == ["own/Zo\u00eb"] * 2
    assert table["clip"].tolist() == ["own/Zo\u00eb/take@5", "own/Zo\u00eb/take@20"]
    assert table["source"].tolist() == ["Zoe\u0308/take.mp4"] * 2  # as it is on disk


def test_a_label_in_another_unicode_form_is_found(root):
    (root / "clips.csv").write_text(HEADER + "smile,anna,,,,ge\u0301ne\u0301\n", encoding="utf-8")
    for form in ("g\u00e9n\u00e9", "ge\u0301ne\u0301"):
        assert index(root, name="own", classes=(form,)).loc[0, "label"] == form


def test_frames_beside_the_sheet_are_named_by_a_dot(root):
    table, _ = read(root, "x,anna,.", header="name,subject,source\n")
    assert table.loc[0, ["clip", "source", "kind"]].tolist() == ["own/anna/x", ".", "frames"]


@pytest.mark.parametrize("text", ["NA", "-", "/", "None", "nan"])
def test_a_label_written_as_unknown_is_none_unless_it_is_a_class(root, text):
    table, problems = read(root, f"smile,anna,,,,{text}")
    assert table["label"].tolist() == [""] and not problems
    assert index(root, name="own", classes=(*CLASSES, text)).loc[0, "label"] == text


def test_labels_are_matched_without_regard_to_case(root):
    assert read(root, "smile,anna,,,,Positive")[0].loc[0, "label"] == "positive"


def test_a_misspelt_column_is_told(root):
    table, problems = read(root, "smile,anna,positive", header="name,subject,lable\n")
    assert len(table) == 1 and problems[0].severity == "warning"
    assert "column 'lable' is not used; did you mean 'label'?" in str(problems[0])


def test_unused_columns_may_stand_twice(root):
    table, problems = read(root, "smile,anna,a,b,,", header="name,subject,Note,note,,\n")
    assert table["clip"].tolist() == ["own/anna/smile"] and {p.severity for p in problems} == {"warning"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("frown,ben,9,,5,", "clip own/ben/frown: clips.csv line 3: onset 9 comes after offset 5; correct the sheet"),
        ("frown,ben,2,1,5,", "onset 2 comes after apex 1"),
        ("frown,ben,2,6,5,", "apex 6 comes after offset 5"),
        ("frown,ben,-1,,5,", "onset '-1' is no frame position; write a whole number counted from 0"),
        ("frown,ben,,1.5,5,", "apex '1.5' is no frame position"),
        ("frown,ben,,soon,5,", "apex 'soon' is no frame position"),
        ("frown,ben,,inf,5,", "apex 'inf' is no frame position"),
        ("frown,ben,,,,positve", "unknown label 'positve'; did you mean 'positive'?"),
        ("frown,ben,,,,9", "unknown label '9'; known: negative, positive, surprise"),
        ("gone,ben,,,,", "no video (.avi, .mkv, .mov, .mp4) and no folder of frames 'gone'"),
        ("frown,,,,,", "no subject; fill the cell"),
        (",ben,,,,", "no name; fill the cell"),
        ("frown,a/b,,,,", "subject 'a/b' is no name"),
        ("../frown,ben,,,,", "'../frown' leaves the corpus's folder"),
        ("/etc/passwd,ben,,,,", "'/etc/passwd' leaves the corpus's folder"),
        ("..\\frown,ben,,,,", "leaves the corpus's folder"),
        ("frown,..,,,,", "subject '..' is no name"),
    ],
)
def test_a_bad_row_is_refused_by_name_and_the_others_go_on(root, row, words):
    assert words in refused(root, row)


def test_a_clip_twice_is_refused_the_second_time(root):
    table, problems = read(root, "smile,anna,5,,9,", "smile,anna,5,,12,")
    assert table["offset"].tolist() == [9]
    assert "clip own/anna/smile@5: clips.csv line 3: the clip id stands twice" in str(problems[0])


def test_two_media_of_one_name_must_be_told_apart(root):
    (root / "smile.avi").touch()
    assert "'smile' may be any of smile.avi, smile.mp4; write the name with its ending" in refused_alone(root)


def refused_alone(root):
    table, problems = read(root, "smile,anna,,,,")
    assert table.empty
    return str(problems[0])


def test_a_bad_frame_rate_is_refused(root):
    assert "fps 'fast' is no frame rate" in refused(root, "frown,ben,fast", header="name,subject,fps\n")


def test_blank_lines_do_not_shift_the_lines_named(root):
    _, problems = read(root, "smile,anna,,,,", "", ",,,,,", "gone,anna,,,,")
    assert [p.file for p in problems] == ["clips.csv line 5"]


def test_without_a_sheet_it_says_what_one_looks_like_and_what_is_there(root):
    with pytest.raises(BadInput) as error:
        index(root, name="own", classes=CLASSES)
    text = str(error.value)
    assert "no clips.csv" in text and "smile.mp4" in text and "frames_01" in text
    assert "name,subject,onset,apex,offset,label" in text and "counted from 0" in text and "\n" not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a table"),
        (b"name,onset\nsmile,1\n", "no column subject"),
        (b"name,subject,Onset,onset\nsmile,anna,1,2\n", "column 'onset' stands twice; keep one of the two"),
        (b"name,subject,onset,onset\nsmile,anna,1,2\n", "column 'onset' stands twice"),
        (b'name,subject\n"smile,anna\n', "cannot be read as a table"),
        ("name,subject\nGr\u00f6\u00dfe,anna\n".encode("latin-1"), "save it as UTF-8"),
    ],
)
def test_a_sheet_that_is_no_table(root, content, words):
    (root / "clips.csv").write_bytes(content)
    with pytest.raises(BadInput) as error:
        index(root, name="own", classes=CLASSES)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_missing_root(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere: no such folder; set the corpus's root"):
        index(tmp_path / "nowhere", name="own", classes=CLASSES)
