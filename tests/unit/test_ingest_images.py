"""Folders of images: in the order of their numbers, as 8-bit RGB, and with nothing missing where it matters."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_lib.ingest.images import numbered_images
from mer_lib.ingest.source import open_source, probe
from mer_lib.problems import BadInput, collect


def save(path, image):
    """``image`` in RGB(A) or grey to a file."""
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(path.suffix, image if image.ndim == 2 else cv2.cvtColor(image, order[image.shape[2]]))[1]
    encoded.tofile(path)


def folder_of(folder, numbers, name="img{}.png", value=lambda n: n):
    for number in numbers:
        save(folder / name.format(number), np.full((6, 8, 3), value(number), np.uint8))
    return folder


def values(source, *args):
    return [int(frame[0, 0, 0]) for frame in source.frames(*args)]


@pytest.mark.parametrize("name", ["img{}.png", "reg_img{:03d}.bmp", "006_{:05d}.png", "{}.png", "a 7 ({}).png"])
def test_img9_comes_before_img10(tmp_path, name):
    source = open_source(folder_of(tmp_path / "clip", range(8, 13), name), "frames")
    assert values(source) == [8, 9, 10, 11, 12]
    assert values(source, 1, 5, 2) == [9, 11]
    assert (source.count, source.height, source.width) == (5, 6, 8) and np.isnan(source.fps)


@given(st.sets(st.integers(0, 10**9), min_size=2, max_size=20))
def test_any_numbers_come_in_their_order(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("numbers")
    for number in numbers:
        (folder / f"img{number}.jpg").touch()
    assert [number for number, _ in numbered_images(folder)] == sorted(numbers)


def test_a_gap_inside_the_range_is_refused_and_one_outside_is_not(tmp_path):
    source = open_source(folder_of(tmp_path / "clip", [1, 2, 3, 6, 7, 8, 9, 10]), "frames")
    assert values(source, 3, 8) == [6, 7, 8, 9, 10]
    with pytest.raises(BadInput, match=r"2 numbered frames are missing inside the clip: 4, 5; fetch"):
        list(source.frames(0, 5))


def test_every_second_frame_kept_is_no_gap(tmp_path):
    source = open_source(folder_of(tmp_path / "clip", [2, 4, 6, 8, 12]), "frames")
    assert values(source, 0, 4) == [2, 4, 6, 8]
    with pytest.raises(BadInput, match=r"1 numbered frame is missing inside the clip: 10"):
        list(source.frames())


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([1, 2, 5], "2 numbered frames are missing inside the clip: 3, 4;"),
        ([1, 2, 3, 5, 7, 9], "3 numbered frames are missing inside the clip: 4, 6, 8;"),
        ([2, 4, 7, 9], "1 numbered frame is missing inside the clip: 6;"),  # 7 is no multiple, and still one is gone
        ([1, 2, 10**12], "999999999997 numbered frames are missing inside the clip: 3, 4, 5, 6, 7 …;"),
    ],
)
def test_the_smallest_step_tells_what_is_missing(tmp_path, numbers, says):
    source = open_source(folder_of(tmp_path / "clip", numbers, value=lambda n: 0), "frames")
    with pytest.raises(BadInput, match=says):
        list(source.frames())


def test_frames_of_two_sizes_name_the_odd_one(tmp_path):
    folder = folder_of(tmp_path / "clip", range(4))
    save(folder / "img4.png", np.zeros((7, 8, 3), np.uint8))
    with pytest.raises(BadInput, match=r"img4\.png: this frame is 8×7 pixels, the first one 8×6"):
        list(open_source(folder, "frames").frames())


def test_an_empty_image_is_named(tmp_path):
    folder = folder_of(tmp_path / "clip", range(4))
    (folder / "img2.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"img2\.png: the frame is empty"):
        list(open_source(folder, "frames").frames())
    assert values(open_source(folder, "frames"), 0, 2) == [0, 1]


def test_a_broken_image_is_named(tmp_path):
    folder = folder_of(tmp_path / "clip", range(4))
    (folder / "img3.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"img3\.png: the frame is no image"):
        list(open_source(folder, "frames").frames())


def test_grey_and_alpha_become_rgb(tmp_path):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    colour = np.stack([grey, grey + 50, grey + 100], axis=-1)
    save(tmp_path / "clip" / "1.png", grey)
    save(tmp_path / "clip" / "2.png", np.dstack([colour, np.full_like(grey, 3)]))
    save(tmp_path / "clip" / "3.png", colour)
    first, second, third = open_source(tmp_path / "clip", "frames").frames()
    np.testing.assert_array_equal(first, np.dstack([grey] * 3))
    np.testing.assert_array_equal(second, colour)
    np.testing.assert_array_equal(third, colour)


@pytest.mark.parametrize(("bits", "ending"), [(10, "png"), (12, "tif"), (16, "png")])
def test_deep_frames_share_one_factor(tmp_path, bits, ending):
    top = 2**bits - 1
    ramp = np.linspace(0, top, 48).astype(np.uint16).reshape(6, 8)
    save(tmp_path / "clip" / f"1.{ending}", ramp)
    save(tmp_path / "clip" / f"2.{ending}", ramp // 2)
    with collect() as problems:
        first, second = open_source(tmp_path / "clip", "frames").frames()
    np.testing.assert_allclose(first[..., 1], ramp * (255 / top), atol=0.51)
    np.testing.assert_allclose(second[..., 1], (ramp // 2) * (255 / top), atol=0.51)
    assert f"values 0 to {top} became 0 to 255" in problems[0].what


def deep_folder(folder, brightest, dtype=np.uint16):
    for number, value in enumerate(brightest):
        save(folder / f"{number}.png", np.full((4, 4), value, dtype))
    return folder


def test_deep_frames_that_begin_dark_are_not_clipped(tmp_path):
    with collect() as problems:
        assert values(open_source(deep_folder(tmp_path / "clip", [200, 3000, 4000]), "frames")) == [12, 187, 249]
    assert ["values 0 to 4095 became 0 to 255" in p.what for p in problems] == [True]


def test_deep_frames_of_few_bits_are_told_as_well(tmp_path):
    with collect() as problems:
        assert values(open_source(deep_folder(tmp_path / "clip", [200, 255]), "frames")) == [200, 255]
    assert "frames of 16 bits were brought to 8: values 0 to 255 became 0 to 255" in problems[0].what


def test_a_deep_frame_brighter_than_all_that_were_sampled_is_named(tmp_path):
    brightest = [200] * 40
    brightest[1] = 3000
    source = open_source(deep_folder(tmp_path / "clip", brightest), "frames")
    assert values(source, 2) == [200] * 38
    with pytest.raises(BadInput, match=r"1\.png: its brightest value is 3000, where other .* stay below 256; restore"):
        list(source.frames())


def test_a_damaged_deep_frame_outside_the_range_does_no_harm(tmp_path):
    folder = deep_folder(tmp_path / "clip", [1000, 1000, 1000])
    (folder / "2.png").write_bytes(b"")
    assert values(open_source(folder, "frames"), 0, 2) == [249, 249]


@pytest.mark.parametrize(("first", "rest"), [(np.uint8, np.uint16), (np.uint16, np.uint8)])
def test_frames_of_two_depths_name_the_odd_one(tmp_path, first, rest):
    deep_folder(tmp_path / "clip", [200, 200, 200], rest)
    deep_folder(tmp_path / "clip", [200], first)
    odd, usual = 8 * np.dtype(rest).itemsize, 8 * np.dtype(first).itemsize
    with pytest.raises(BadInput, match=rf"1\.png: this frame has {odd} bits a channel, the first one {usual}; store"):
        list(open_source(tmp_path / "clip", "frames").frames())


def test_deep_colour_keeps_its_channels(tmp_path):
    for name in "12":
        save(tmp_path / "clip" / f"{name}.png", np.full((4, 4, 3), (65535, 30000, 0), np.uint16))
    frame = next(open_source(tmp_path / "clip", "frames").frames())
    assert frame[0, 0].tolist() == [255, 117, 0]


def test_floating_point_frames_are_refused(tmp_path):
    for name in "12":
        save(tmp_path / "clip" / f"{name}.tif", np.full((4, 4), 0.5, np.float32))
    with pytest.raises(BadInput, match="holds float32 values; store frames of 8 or 16 bits"):
        open_source(tmp_path / "clip", "frames")


def test_two_files_with_one_number_are_refused(tmp_path):
    folder = folder_of(folder_of(tmp_path / "clip", range(3)), range(3), "reg_img{}.png")
    with pytest.raises(BadInput, match=r"two files for frame 0: img0\.png and reg_img0\.png"):
        open_source(folder, "frames")


def test_other_files_do_not_count(tmp_path):
    folder = folder_of(tmp_path / "clip", range(3))
    for name in ("Thumbs.db", "notes 7.txt", "._img1.png", "cover.png"):
        (folder / name).write_bytes(b"x")
    assert probe(folder, "frames").frames == 3


def test_unicode_spaces_and_links(tmp_path):
    folder = folder_of(tmp_path / "Žofie größe 微表情", range(3), "bild é {}.png")
    (tmp_path / "link").symlink_to(folder)
    assert values(open_source(folder, "frames")) == values(open_source(tmp_path / "link", "frames")) == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_no_frames_or_one(tmp_path, count):
    folder = folder_of(tmp_path / "clip", range(count))
    folder.mkdir(exist_ok=True)
    what = "no numbered images" if count == 0 else "one frame: a micro-expression needs at least two"
    with pytest.raises(BadInput, match=what):
        open_source(folder, "frames")


def test_a_missing_folder(tmp_path):
    with pytest.raises(BadInput, match=r"gone: no such folder of frames"):
        open_source(tmp_path / "gone", "frames")
