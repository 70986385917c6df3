"""The report's section on motion: pictures of flow and strain, films that can be left unseen, nothing said twice."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from mer_lib import clips
from mer_lib.motion.pairs import motion_of
from mer_lib.motion.strain import strain
from mer_lib.report import collect
from mer_lib.report.data import Example, ReportData
from mer_lib.report.sections import examples, motion
from mer_lib.store import Header, write_shard

SIDE, COUNT, APEX = 64, 30, 12
Y, X = np.mgrid[:SIDE, :SIDE].astype(float)


def film(reach=1.0, count=COUNT, apex=APEX):
    """A texture of which a disc goes to the right by ``reach`` pixels until the apex, and back."""
    course = np.interp(np.arange(count), [0, apex, count - 1], [0, reach, 0 if apex < count - 1 else reach])
    bump = np.exp(-((X - SIDE / 2) ** 2 + (Y - SIDE / 2) ** 2) / (2 * 10**2))
    noise = np.random.default_rng(0).normal(0, 3, (count, SIDE, SIDE))  # or the encoder takes frames for the same
    waves = noise + [128 + 40 * np.sin((X - s * bump) / 3) * np.cos(Y / 4) for s in course]
    return np.repeat(np.rint(waves).astype(np.uint8)[..., None], 3, axis=-1)


def example(name="toy/s0/c0", *, moving=True, **given) -> Example:
    frames = film(**given)
    at = given.get("apex", APEX)
    flow = motion_of(frames, at, flow="dis")["flow"][0].astype(np.float32)
    return Example(name, frames[0], frames[at], flow, strain(flow), frames if moving else None, at)


def data(shown, *, synthetic=True) -> ReportData:
    rows = [{"clip": f"toy/s0/c{i}", "dataset": "toy", "subject": "toy/s0", "name": f"c{i}", "kind": "video",
             "type": "micro", "fps": 200, "frames": COUNT, "label": "positive"} for i in range(5)]  # fmt: skip
    return ReportData("toy", synthetic, clips.table(rows), examples=shown)


def pictures(html: str, tag: str) -> list[Image.Image]:
    """What the images of a tag hold."""
    attribute = {"img": "src", "source": "srcset"}[tag]
    found = re.findall(rf'<{tag} [^>]*{attribute}="data:image/(\w+);base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(content))) for _, content in found]


@pytest.fixture(scope="module")
def section() -> str:
    return str(motion.section(data([example(), example("toy/s0/c1", moving=False)])))


def test_no_examples_no_section():
    assert motion.section(data([])) is None


def test_flow_and_strain_of_each_clip_stand_under_one_legend(section):
    still = [picture for picture in pictures(section, "img") if picture.format == "PNG"]
    assert len(still) == 2 + 2 * 2 and section.count('class="legend"') == 1
    assert section.count("Optical flow from onset to apex") == section.count("Optical strain of") == 2
    assert re.search(r"flow, up to 0\.\d px", section) and "toy/s0/c0" in section and ">positive<" in section


def test_the_film_moves_and_what_is_right_moves_more(section):
    (moving,) = [picture for picture in pictures(section, "img") if picture.format == "WEBP"]
    assert moving.n_frames == 20 and moving.size == (2 * SIDE, SIDE) and moving.info["loop"] == 0
    shown = []
    for at in range(moving.n_frames):
        moving.seek(at)
        shown.append(np.asarray(moving.convert("L"), float))
    middle = slice(SIDE // 2 - 8, SIDE // 2 + 8)
    change = np.abs(np.array(shown) - shown[0]).mean(axis=0)[middle]
    assert change[:, SIDE:][:, middle].mean() > 1.5 * change[:, middle].mean() > 0


def test_who_wants_no_motion_sees_the_apex(section):
    (source,) = re.findall(r"<source [^>]*>", section)
    assert 'media="(prefers-reduced-motion: reduce), print"' in source
    (still,) = pictures(section, "source")
    assert getattr(still, "n_frames", 1) == 1
    given = np.asarray(still.convert("L"), float)[:, :SIDE]
    distance = [np.abs(given - frame[..., 0]).mean() for frame in film()]
    assert abs(int(np.argmin(distance)) - APEX) <= 1
    # An endless film starts only where the reader opens it, and closes again.
    assert section.index("<details>") < section.index("<picture>") < section.index("</details>")


def test_films_are_labelled(section):
    assert "magnified 5 times, 20 of 30 frames, slowed down" in section and "Lagrangian" in section
    assert section.count("rendered faces of the synthetic corpus") == 1 and section.count("synthetic data") == 2
    real = str(motion.section(data([example()], synthetic=False)))
    assert "rendered" not in real and "synthetic" not in real and "registered to the onset" in real


def test_clips_without_frames_have_no_film():
    html = str(motion.section(data([example(moving=False)])))
    assert "<picture>" not in html and "Lagrangian" not in html


@pytest.mark.parametrize(("count", "apex"), [(2, 1), (8, 7), (5, 1)])
def test_short_clips_and_clips_that_end_with_their_apex_are_shown(count, apex):
    html = str(motion.section(data([example(count=count, apex=apex)])))
    assert f"{count} of {count} frames" in html


def test_the_same_examples_give_the_same_bytes(section):
    again = str(motion.section(data([example(), example("toy/s0/c1", moving=False)])))
    assert again == section and len(section) < 200_000


def test_nothing_is_shown_twice(section):
    shown = data([example(), example("toy/s0/c1", moving=False)])
    apart = str(examples.section(shown))
    assert "flow" not in apart.lower() and "strain" not in apart.lower() and 'class="legend"' not in apart
    assert not set(re.findall(r"base64,([^\"]+)", apart)) & set(re.findall(r"base64,([^\"]+)", section))


def test_frames_of_the_first_clips_are_collected_from_the_onset_on(tmp_path):
    """The registered store may hold frames before the onset: pairs say where it is."""
    table = data([]).clips
    frames = film()

    def pictures_of(row):
        return {"frames": frames}

    def motion_from(row):
        return {**motion_of(frames, APEX, flow="dis"), "pair": np.array([[2, APEX]])}

    for name, make in (("registered", pictures_of), ("motion", motion_from)):
        header = Header(name, "toy", "0000", name)
        write_shard(tmp_path / f"{name}.h5", header, table.itertuples(), make)
    found = collect._examples(table, [tmp_path / "registered.h5"], [tmp_path / "motion.h5"], 5)
    assert [e.frames is not None for e in found] == [True] * collect.FILMS + [False] * 2
    np.testing.assert_array_equal(found[0].frames, frames[2:])
    np.testing.assert_array_equal(found[0].frames[found[0].at], found[0].apex)
