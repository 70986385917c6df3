"""Scans: the embedded head written as a lab's scan comes back at its place and size; what cannot be used says so."""

import shutil

import numpy as np
import pytest
import scan_toys

from mer_lib.faces.detect import Detector
from mer_lib.geometry.scan import read_scan
from mer_lib.problems import BadInput, collect


@pytest.fixture(scope="module")
def detector():
    return Detector()


@pytest.fixture(scope="module")
def person():
    return scan_toys.person()


@pytest.fixture(scope="module")
def obj(tmp_path_factory, person):
    return scan_toys.write(tmp_path_factory.mktemp("scan") / "1_neutral.obj", person)


@pytest.mark.parametrize(("unit", "shift"), [(1000.0, (0, 0, 0)), (1.0, (0.1, 1.6, -0.3)), (39.37, (5, 60, 2))])
def test_any_unit_and_place_comes_back_as_metres_from_between_the_pupils(tmp_path, person, detector, unit, shift):
    scan = read_scan(scan_toys.write(tmp_path / "a.obj", person, unit=unit, shift=shift), detector)
    true = person.vertices[person.head.corners][np.unique(person.surface.uv_faces)]  # no face, no vertex
    pupils = person.vertices[person.head.pupils]
    true = (true - pupils.mean(axis=0)) * 0.063 / np.linalg.norm(pupils[0] - pupils[1])
    assert scan.vertices.shape == true.shape  # in the file's order, none merged
    face = np.abs(true).max(axis=1) < 0.1
    away = np.linalg.norm(scan.vertices - true, axis=1)[face]
    assert np.median(away) < 0.004 and away.max() < 0.008  # metres: the detector's half pixel, as a share of the size
    np.testing.assert_allclose(np.linalg.norm(scan.pupils[0] - scan.pupils[1]), 0.063, rtol=1e-6)


def test_a_mesh_turned_inside_out_is_turned_back(tmp_path, obj, detector):
    text = obj.read_text().splitlines()
    faces = ["f " + " ".join(reversed(line.split()[1:])) for line in text if line.startswith("f ")]
    turned = tmp_path / "1_neutral.obj"
    turned.write_text("\n".join([*(line for line in text if not line.startswith("f ")), *faces]))
    for name in ("1_neutral.obj.mtl", "1_neutral.jpg"):
        shutil.copy(obj.with_name(name), tmp_path)
    away = np.abs(read_scan(turned, detector).vertices - read_scan(obj, detector).vertices)
    assert away.max() < 0.002  # metres at the nape; the pictures differ by rounding, and with them the landmarks


def _copy(obj, folder, text=None):
    path = folder / obj.name
    path.write_text(obj.read_text() if text is None else text)
    for name in ("1_neutral.obj.mtl", "1_neutral.jpg"):
        shutil.copy(obj.with_name(name), folder)
    return path


def _halves(text):
    """Half of the faces the other way round."""
    lines = text.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("f ")]
    for i in at[::2]:
        lines[i] = "f " + " ".join(reversed(lines[i].split()[1:]))
    return "\n".join(lines)


def _away(text):
    """Turned to show its back."""
    lines = []
    for line in text.splitlines():
        kind, *values = line.split()
        if kind == "v":
            x, y, z = map(float, values)
            line = f"v {-x} {y} {-z}"
        lines.append(line)
    return "\n".join(lines)


def _nowhere(text):
    """The first vertex has no place."""
    return "\n".join("v nan 0 0" if at == 2 else line for at, line in enumerate(text.splitlines()))


BAD = {
    "empty file": (lambda text: "", r"mesh is empty|cannot be read|can be read"),
    "no faces": (lambda text: "\n".join(t for t in text.splitlines() if not t.startswith("f ")), r"empty|can be read"),
    "few vertices": (lambda text: "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "mesh is empty"),
    "vertices without a place": (_nowhere, "vertices without a place"),
    "both ways round": (_halves, "inside out"),
    "from behind": (_away, "no face is seen from the front.*turn the mesh"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_meshes_are_refused_in_one_line(tmp_path, obj, detector, name):
    change, told = BAD[name]
    path = _copy(obj, tmp_path, change(obj.read_text()))
    with pytest.raises(BadInput, match=told) as error:
        read_scan(path, detector)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("lost", ["1_neutral.obj.mtl", "1_neutral.jpg"])
def test_a_mesh_without_its_texture_is_refused(tmp_path, obj, detector, lost):
    path = _copy(obj, tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(BadInput, match=r"no texture.*unpack both") as error:
        read_scan(path, detector)
    assert "\n" not in str(error.value)


def test_a_mesh_that_is_no_manifold_is_noted_and_read(tmp_path, obj, detector):
    lines = obj.read_text().splitlines()
    first = next(line for line in lines if line.startswith("f "))
    a, b, _ = first.split()[1:]
    path = _copy(obj, tmp_path, "\n".join([*lines, f"f {a} {b} 9/9", f"f {b} {a} 19/19"]))
    with collect() as found:
        read_scan(path, detector)
    assert any("not a manifold" in problem.what for problem in found)


@pytest.mark.parametrize("place", ["../{}", "{folder}/{}"])
def test_a_texture_outside_the_scans_folder_is_not_read(tmp_path, obj, detector, place):
    """An MTL file comes out of an archive as well, and may name any picture of this machine."""
    outside, inside = tmp_path / "private.jpg", tmp_path / "scans"
    shutil.copy(obj.with_name("1_neutral.jpg"), outside)
    inside.mkdir()
    path = _copy(obj, inside)
    path.with_name("1_neutral.jpg").unlink()
    path.with_name("1_neutral.obj.mtl").write_text(
        f"newmtl skin\nmap_Kd {place.format(outside.name, folder=tmp_path)}\n"
    )
    with pytest.raises(BadInput, match="has no texture"):
        read_scan(path, detector)
