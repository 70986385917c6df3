"""Composites: the MEGC 2019 list over its three data sets, and lists and maps of one's own."""

import shutil
from functools import partial

import pytest
from layouts import megc2019 as layout
from layouts.common import write_frames

from mer_lib import clips
from mer_lib.corpora import composite, indexing, lists, parts
from mer_lib.ingest.measure import measure
from mer_lib.params import Corpus
from mer_lib.problems import BadInput, collect, note

CLASSES = clips.OFFICIAL_CLASSES
OFFICIAL = Corpus(name="megc2019", adapter="megc2019", classes=CLASSES, options={"parts": ["casme2", "smic", "samm"]})


def ask(corpus, data, cache):
    roots = lambda name: str(data / name)  # noqa: E731
    return indexing.index(corpus, "", cache, measure, roots=roots, max_frames=100)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return layout.write(tmp_path_factory.mktemp("data"), subjects=None, clips=None)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def official(data, cache):
    return ask(OFFICIAL, data, cache)


def test_the_packaged_list_is_the_official_one(repository):
    ours = lists.OFFICIAL.read_bytes()
    assert ours == (repository / "tests/data/megc2019/combined_3class_gt.csv").read_bytes()
    table = lists.official(CLASSES)
    assert len(table) == 442 and table["key"].is_unique
    assert table.groupby("dataset")["subject"].nunique().to_dict() == {"casme2": 24, "samm": 28, "smic": 16}
    counts = table.groupby("dataset")["label"].value_counts().unstack()[list(CLASSES)]
    assert counts.loc["smic"].tolist() == [70, 51, 43]
    assert counts.loc["casme2"].tolist() == [88, 32, 25]
    assert counts.loc["samm"].tolist() == [92, 26, 15]
    assert table[table["dataset"] == "samm"]["subject"].str.fullmatch(r"0\d\d").all()


def test_442_clips_of_68_subjects(official):
    table, problems = official
    assert len(table) == 442 and table["subject"].nunique() == 68
    assert table["dataset"].value_counts().to_dict() == {"smic": 164, "casme2": 145, "samm": 133}
    assert table["label"].value_counts().to_dict() == {"negative": 250, "positive": 109, "surprise": 83}
    assert not [p for p in problems if p.severity == "skipped"]
    assert (table["frames"] >= 24).all()


def test_ids_and_sources_are_those_of_the_parts(official, data):
    table = official[0]
    assert all((data / row.dataset / row.source).is_dir() for row in table.itertuples())
    alone = indexing.index(
        Corpus(name="samm", adapter="samm", classes=CLASSES),
        str(data / "samm"),
        data / "cache",
        measure,
        max_frames=100,
    )[0]
    assert set(table[table["dataset"] == "samm"]["clip"]) == set(alone["clip"])


def test_the_list_decides_and_no_emotion(official):
    table = official[0].set_index("clip")
    assert not {"casme2/sub04/EP12_01f", "casme2/sub05/EP09_05f"} & set(table.index)
    assert (
        table.loc["casme2/sub05/EP12_03f", "label"]
        == lists.official(CLASSES).set_index("clip").loc["EP12_03f", "label"]
    )
    (surprise,) = [clip for clip in table.index if lists.key(clip).endswith("s18_sur_3")]
    assert table.loc[surprise, "label"] == "surprise" and "sheet says negative" in table.loc[surprise, "flags"]
    assert not table["emotion"].isin(["others", "Other"]).any()


def test_a_set_that_is_missing_entirely_is_told_in_one_line(data, cache, tmp_path):
    for name in ("casme2", "smic"):
        (tmp_path / name).symlink_to(data / name)
    table, problems = ask(OFFICIAL, tmp_path, cache)
    lost = [p for p in problems if p.severity == "skipped"]
    assert len(table) == 309 and len(lost) == 1
    assert lost[0].what == "samm is missing entirely: 133 of the list's 442 clips, 28 subjects"
    assert "mer doctor samm" in lost[0].remedy
    assert any("no such folder" in p.what and p.severity == "warning" for p in problems)


def test_nothing_at_all_is_one_line(tmp_path, cache):
    with pytest.raises(BadInput, match="no part of 'megc2019' can be indexed"):
        ask(OFFICIAL, tmp_path, cache)


def test_a_clip_without_frames_is_told_once_with_its_own_sets_reason(tmp_path, cache):
    layout.write(tmp_path, subjects=2, clips=3)
    some, _ = ask(OFFICIAL, tmp_path, cache)
    clip = some[some["dataset"] == "casme2"].iloc[0]
    shutil.rmtree(tmp_path / "casme2" / clip["source"])
    shutil.rmtree(tmp_path / "casme2/CASME2_RAW_selected/sub26/EP07_37")
    table, problems = ask(OFFICIAL, tmp_path, cache)
    (said,) = [p for p in problems if p.clip == clip["clip"]]
    assert len(table) == len(some) - 1 and "no folder" in said.what and said.severity == "skipped"
    rest = [p for p in problems if p.severity == "skipped" and p != said]
    assert len(rest) == 442 - len(some) and all("no such clip" in p.what for p in rest)
    assert not any("EP07_37" in str(p) for p in problems)  # nobody's loss: the list leaves it out


def test_each_part_is_kept_for_itself(data, cache, official, monkeypatch):
    monkeypatch.setattr(indexing, "_ask", partial(pytest.fail, "asked again"))
    assert ask(OFFICIAL, data, cache)[0].equals(official[0])


# ---- composites of one's own -----------------------------------------------------------------------------------------


def toy(name, emotions):
    rows = [
        {
            "clip": f"{name}/s01/c{i}", "dataset": name, "subject": f"{name}/s01", "name": f"c{i}", "source": f"c{i}",
            "kind": "frames", "type": "micro", "emotion": emotion, "label": "",
        }
        for i, emotion in enumerate(emotions)
    ]  # fmt: skip
    return clips.table(rows)


TABLES = {"a": toy("a", ["Happiness", "disgust", "others"]), "b": toy("b", ["happiness", "fear"])}


def test_a_map_from_emotions_to_classes():
    with collect() as found:
        table = composite.index(
            TABLES, name="mine", classes=("negative", "positive"), map={"happiness": "positive", "Disgust": "negative"}
        )
    assert dict(zip(table["clip"], table["label"], strict=True)) == {
        "a/s01/c0": "positive", "a/s01/c1": "negative", "b/s01/c0": "positive",
    }  # fmt: skip
    (said,) = found
    assert "2 clips of emotions outside the map are left out: 1 fear, 1 others" in said.what


def test_all_of_them_where_nothing_is_named():
    assert len(composite.index(TABLES, name="mine", classes=CLASSES)) == 5


@pytest.mark.parametrize(
    "text",
    [
        "dataset,subject,clip,class\na,s01,c0,positive\nb,s01,c1,negative\n",
        "class,clip,subject,dataset,note\nPositive,c0,S1,a,x\nnegative,C1,s01,b,\n",
        "\ufeffa,s01,c0,1\n\nb,s1,c1,0\n",
    ],
)
def test_a_list_of_ones_own(tmp_path, text):
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    table = composite.index(TABLES, name="m", classes=CLASSES, list=str(tmp_path / "mine.csv"))
    assert list(zip(table["clip"], table["label"], strict=True)) == [("a/s01/c0", "positive"), ("b/s01/c1", "negative")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("\n\n", "cannot be read|is empty"),
        ("a,b\n1,2\n", "no list of clips"),
        ("dataset,subject,clip\na,s01,c0\n", "no list of clips"),
        ("dataset,subject,clip,class\na,s01,c0,happy\n", "line 2: class 'happy' is unknown"),
        ("a,s01,c0,3\n", "line 1: class '3' is unknown"),
        ("a,s01,c0,1\na,s1,C0,1\n", "line 2: .* stands twice"),
        ("x,s01,c0,1\n", "no clip of the list is in any part"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, text, words):
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        composite.index(TABLES, name="m", classes=CLASSES, list=str(tmp_path / "mine.csv"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"map": {"happiness": "glad"}}, "'glad' is no class"),
        ({"map": {"joy": "positive"}}, "no clip's emotion is 'joy'"),
        ({"map": {"happiness": "positive"}, "list": "x.csv"}, "both a list and a map"),
        ({"list": "nowhere.csv"}, "cannot be read"),
    ],
)
def test_maps_that_cannot_be_used(options, words):
    with pytest.raises(BadInput, match=words):
        composite.index(TABLES, name="m", classes=CLASSES, **options)


def test_two_subjects_with_one_id_in_two_sets_keep_apart():
    subjects = composite.index(TABLES, name="m", classes=CLASSES)["subject"]
    assert set(subjects) == {"a/s01", "b/s01"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "names no parts"),
        (["casme2", "casme2"], "names the part 'casme2' twice"),
        (["casm2"], "did you mean 'casme2'"),
        ([{"adapter": "folder"}], "without a name"),
        (["synthetic"], "cannot have 'synthetic' as a part"),
        (["megc2019"], "cannot have 'megc2019' as a part"),
        (["facescape"], "cannot have 'facescape' as a part"),
        (["smic", {"name": "slow", "adapter": "smic", "modality": "VIS"}], "has the same people in 'smic' and 'slow'"),
        (["samm", "casme2", "samm_long"], "has the same people in 'samm' and 'samm_long'"),
        ([{"name": "x", "adapter": "folder", "depth": 3}], "no option 'depth'"),
    ],
)
def test_parts_that_cannot_be(given, words):
    corpus = Corpus(name="mine", adapter="composite", classes=CLASSES, options={"parts": given})
    with pytest.raises(BadInput, match=words):
        parts.parts_of(corpus)


def test_a_part_of_own_recordings_beside_a_licensed_set(tmp_path, cache):
    layout.write(tmp_path, subjects=2, sets=("casme2",))
    write_frames(tmp_path / "mine/anna/smile", range(1, 9), "img{}.png")
    (tmp_path / "mine/clips.csv").write_text("name,subject,onset,apex,offset,label\nsmile,anna,0,3,7,positive\n")
    given = ["casme2", {"name": "mine", "adapter": "folder"}]
    corpus = Corpus(
        name="both", adapter="composite", classes=CLASSES, options={"parts": given, "list": "", "map": None}
    )
    table, _ = ask(corpus, tmp_path, cache)
    assert "mine/anna/smile" in set(table["clip"]) and set(table["dataset"]) == {"casme2", "mine"}
    assert [part.name for part in parts.parts_of(corpus)] == ["casme2", "mine"]
    assert parts.parts_of(Corpus(name="mine", adapter="folder", classes=CLASSES)) == []


def test_the_reason_of_a_row_that_cannot_be_read_is_kept(tmp_path):
    data = layout.write(tmp_path / "data", subjects=2, clips=2, sets=("smic",))
    folder = next((data / "smic").rglob("s*_ne_*"))
    for image in folder.iterdir():
        image.unlink()
    table, problems = ask(OFFICIAL, data, tmp_path / "cache")
    assert len(table) == 3
    (told,) = [p for p in problems if "no numbered images" in p.what]
    assert (told.severity, told.stage) == ("warning", "index") and told.file == str(folder)


def test_many_absent_clips_are_recorded_each_and_logged_in_one_line(data, tmp_path, caplog):
    parts = {}
    for name in ("casme2", "smic", "samm"):
        one = Corpus(name=name, adapter=name, classes=CLASSES)
        parts[name], _ = indexing.index(one, str(data / name), tmp_path / "cache", measure, max_frames=100)
    parts["casme2"], parts["smic"] = parts["casme2"].iloc[-3:], parts["smic"].iloc[:-2]
    caplog.clear()
    with collect() as found:
        composite.join(parts, lists.official(CLASSES), source="the list")
    counts = {name: sum(p.clip.startswith(name) for p in found) for name in parts}
    assert counts["samm"] == 0 and counts["smic"] == 2 and counts["casme2"] > 140
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3 and f"the list: {counts['casme2']} clips of the list are not in casme2: sub" in lines[0]
    note("said again", "nothing to do")
    assert caplog.records[-1].getMessage() == "said again; nothing to do"


def test_a_map_that_is_none_is_told(data, tmp_path):
    corpus = Corpus(name="c", adapter="composite", classes=CLASSES, options={"parts": ["samm"], "map": ["anger"]})
    with pytest.raises(BadInput, match="map is no map from emotions to classes"):
        ask(corpus, data, tmp_path / "cache")
