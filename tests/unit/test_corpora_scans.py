"""FaceScape and Stirling/ESRC: tables of meshes, on generated layouts."""

import numpy as np
import pytest
import trimesh
from layouts import facescape, stirling

from mer_lib import meshes, registry
from mer_lib.corpora import facescape as facescapes
from mer_lib.corpora import stirling as stirlings
from mer_lib.problems import BadInput, collect


def indexed(module, root, name):
    with collect() as found:
        return module.index(root, name=name, classes=()), found


def test_facescape_is_people_by_expressions(tmp_path):
    table, found = indexed(facescapes, facescape.write(tmp_path), "facescape")
    assert list(table.columns) == ["mesh", "dataset", "subject", "expression", "source"]
    assert len(facescapes.EXPRESSIONS) == 20 and len(table) == 4 * 20 - 1 - 8 - 1
    assert table.iloc[0].to_dict() == {
        "mesh": "facescape/1/1_neutral", "dataset": "facescape", "subject": "facescape/1", "expression": "neutral",
        "source": "1/models_reg/1_neutral.obj",
    }  # fmt: skip
    assert list(dict.fromkeys(table["subject"])) == [f"facescape/{person}" for person in facescape.PEOPLE]
    said = {p.severity: str(p) for p in found}
    assert "facescape/2/5_jaw_left" in said["skipped"] and "0 bytes" in said["skipped"]
    warnings = [p.what for p in found if p.severity == "warning"]
    assert warnings[0].startswith("meshes without a texture") and "facescape/1/20_brow_lower" in warnings[0]
    assert "scans that are absent: 9, by person: 148 (8), 66 (1)" in warnings[1]


def test_a_root_one_level_too_high_is_found(tmp_path):
    facescape.write(tmp_path / "facescape_trainset")
    table, _ = indexed(facescapes, tmp_path, "f")
    assert table["source"].str.startswith("facescape_trainset/1/models_reg/").any()


def test_a_folder_of_people_without_scans_is_refused(tmp_path):
    (tmp_path / "1").mkdir()
    with pytest.raises(BadInput, match="no scan in 1 folders of people"):
        facescapes.index(tmp_path, name="f", classes=())


def test_trimesh_keeps_the_order_of_vertices_only_when_told(tmp_path):
    file = facescape.write(tmp_path, people=(1,)) / "1/models_reg/1_neutral.obj"
    lines = [line.split()[1:] for line in file.read_text().splitlines() if line.startswith("v ")]
    stored = np.array(lines, float)
    kept = trimesh.load(file, process=False, maintain_order=True, skip_materials=True).vertices
    np.testing.assert_array_equal(kept, stored)
    changed = trimesh.load(file, process=False, skip_materials=True).vertices
    assert changed.shape != stored.shape or not np.array_equal(changed, stored)


def test_stirling_mixes_case_in_meshes_and_landmarks(tmp_path):
    table, found = indexed(stirlings, stirling.write(tmp_path), "stirling")
    assert set(table["subject"]) == {f"stirling/{s}" for s in ("F1001", "F1002", "M1001", "M1003")}
    assert (table["expression"] == "neutral").all() and set(table["source"]) == set(stirling.MESHES)
    (said,) = found
    assert "1 of 4 scans have no landmarks: M_3D_N/M1003_n.OBJ" in said.what


def test_two_files_of_one_scan_are_told(tmp_path):
    root = stirling.write(tmp_path, [*stirling.MESHES, "F_3D_N/F1001_N.obj"])
    if len(list((root / "F_3D_N").iterdir())) < 3:
        pytest.skip("this file system does not tell cases apart")
    table, found = indexed(stirlings, root, "s")
    assert len(table) == 4 and any(p.severity == "skipped" and p.clip == "s/F1001/N" for p in found)


def test_stirling_one_level_too_high_and_not_at_all(tmp_path):
    stirling.write(tmp_path / "in/ESRC_3D")
    assert len(indexed(stirlings, tmp_path / "in", "s")[0]) == 4
    with pytest.raises(BadInput, match="the root is too low"):
        stirlings.index(tmp_path / "in/ESRC_3D/F_3D_N", name="s", classes=())


def test_a_table_of_meshes_keeps_its_contract(tmp_path):
    row = {"mesh": "d/s/a", "dataset": "d", "subject": "d/s", "expression": "neutral", "source": "a.obj"}
    table = meshes.table([row])
    meshes.save(table, tmp_path / "meshes.csv")
    assert meshes.load(tmp_path / "meshes.csv").equals(table)
    for wrong, words in (({"mesh": "x/s/a"}, "does not carry"), ({"source": ""}, "no source")):
        with pytest.raises(BadInput, match=words):
            meshes.table([{**row, **wrong}])
    with pytest.raises(BadInput, match="stands twice"):
        meshes.table([row, row])
    (tmp_path / "bad.csv").write_text("")
    with pytest.raises(BadInput, match="no table of meshes"):
        meshes.load(tmp_path / "bad.csv")


def test_sets_of_scans_say_that_they_are():
    assert {name for name, entry in registry.entries("corpus").items() if entry.meta.get("meshes")} == {
        "facescape",
        "stirling",
    }
