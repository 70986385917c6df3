"""Video files: every frame, in its place, whatever the container says."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from mer_lib.ingest.source import open_source, probe
from mer_lib.ingest.writer import write_video
from mer_lib.problems import BadInput, collect

LOSSY = [("mp4v", "mp4"), ("MJPG", "avi"), ("XVID", "avi"), ("mp4v", "mov"), ("MJPG", "mkv")]


def numbered(count, height=48, width=64):
    """Frames (T, H, W, 3) whose brightness is five times their position, with a colour that tells RGB from BGR."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[..., 0] = 5 * np.arange(count)[:, None, None]
    frames[..., 1] = frames[..., 0] // 2
    frames[:, :8, :8, 0] = 255
    return frames


def encode(path, frames, codec, fps=100.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, frames.shape[2:0:-1])
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


def atoms(data, start, stop):
    """(type, begin, end) of the mp4 atoms in a stretch of a file."""
    while start < stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind.decode(), start, start + size
        start += size


def index_first(path):
    """Move an mp4's index before its frames, as files made for the web have it."""
    data = path.read_bytes()
    parts = {kind: data[a:b] for kind, a, b in atoms(data, 0, len(data))}
    moov = bytearray(parts["moov"])
    at = moov.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", moov, at)
    offsets = struct.unpack_from(f">{count}I", moov, at + 4)
    struct.pack_into(f">{count}I", moov, at + 4, *(offset + len(moov) for offset in offsets))
    rest = b"".join(body for kind, body in parts.items() if kind not in ("ftyp", "moov"))
    path.write_bytes(parts["ftyp"] + bytes(moov) + rest)


def hurry(path, first_frames):
    """Give the frames of an mp4 after ``first_frames`` half the duration."""
    data = bytearray(path.read_bytes())
    at = data.index(b"stts") - 4
    _, _, _, entries, count, delta = struct.unpack_from(">I4sIIII", data, at)
    assert entries == 1
    data[at : at + 24] = struct.pack(
        ">I4sIIIIII", 32, b"stts", 0, 2, first_frames, delta, count - first_frames, delta // 2
    )
    for parent in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):  # the index stands last: only sizes change
        where = data.index(parent) - 4
        struct.pack_into(">I", data, where, struct.unpack_from(">I", data, where)[0] + 8)
    path.write_bytes(data)


def test_lossless_video_comes_back_bit_for_bit(tmp_path):
    frames = numbered(30)
    write_video(tmp_path / "a.mkv", frames, 200)
    source = open_source(tmp_path / "a.mkv", "video")
    assert (source.fps, source.count, source.height, source.width) == (200, 30, 48, 64)
    np.testing.assert_array_equal(np.stack(list(source.frames())), frames)


@pytest.mark.parametrize(("codec", "ending"), LOSSY)
def test_every_container_gives_every_frame_in_order_and_in_rgb(tmp_path, codec, ending):
    source = open_source(encode(tmp_path / f"a.{ending}", numbered(40), codec), "video")
    read = np.stack(list(source.frames()))
    np.testing.assert_allclose(read[:, 20:40, 20:60].mean(axis=(1, 2))[:, 0], 5 * np.arange(40), atol=6)
    assert read[5, 4, 4, 0] > read[5, 4, 4, 2] + 100  # red, not blue
    assert source.count == 40 and source.fps == pytest.approx(100)


def test_ranges_and_steps_give_the_same_frames_as_reading_all(tmp_path):
    frames = numbered(45)
    write_video(tmp_path / "a.mkv", frames, 12)  # slow: seconds of video, so that reading jumps
    source = open_source(tmp_path / "a.mkv", "video")
    for start, stop, step in [(0, 45, 7), (40, 45, 1), (33, 44, 3), (44, 45, 1)]:
        np.testing.assert_array_equal(np.stack(list(source.frames(start, stop, step))), frames[start:stop:step])


def test_reading_holds_one_frame_at_a_time(tmp_path):
    write_video(tmp_path / "a.mkv", numbered(20), 25)
    frames = open_source(tmp_path / "a.mkv", "video").frames()
    assert next(frames).shape == (48, 64, 3) and next(frames)[40, 40, 0] == 5


@pytest.mark.parametrize("name", ["single_face.mp4", "face_noface.mov", "no_face.mp4"])
def test_h264_is_counted_and_sought_exactly(shared, name):
    path = shared / "data" / "video" / name
    capture, truth = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        truth.append(read[1][::8, ::8, ::-1])
    source = open_source(path, "video")
    assert source.count == len(truth) == probe(path, "video").frames
    for start in (0, 35, 61, source.count - 3):
        for i, frame in enumerate(source.frames(start, start + 3), start):
            np.testing.assert_array_equal(frame[::8, ::8], truth[i])


def test_a_range_past_the_end_is_refused_before_anything_is_read(tmp_path):
    write_video(tmp_path / "a.mkv", numbered(20), 25)
    with pytest.raises(BadInput, match=r"frames 5 to 20 were asked for.*frames 0 to 19"):
        open_source(tmp_path / "a.mkv", "video").frames(5, 21)


def test_a_missing_video(tmp_path):
    with pytest.raises(BadInput, match=r"gone\.mp4: no such video"):
        open_source(tmp_path / "gone.mp4", "video")


def test_an_empty_video(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(BadInput, match=r"a\.mp4: the video is empty"):
        probe(tmp_path / "a.mp4", "video")


def test_a_text_file_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("not a video at all")
    with pytest.raises(BadInput, match="cannot be opened as a video"):
        open_source(tmp_path / "a.mp4", "video")


def test_an_mp4_that_lost_its_index_cannot_be_read(tmp_path):
    path = encode(tmp_path / "a.mp4", numbered(40), "mp4v")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(BadInput, match=r"cut short.*copy it again"):
        open_source(path, "video")


def test_an_mp4_cut_within_its_frames_is_read_as_far_as_it_goes(tmp_path):
    rng = np.random.default_rng(0)
    whole = np.clip(numbered(40) + rng.integers(0, 40, (40, 48, 64, 3)), 0, 255).astype(np.uint8)
    path = encode(tmp_path / "a.mp4", whole, "mp4v")
    index_first(path)
    assert probe(path, "video").frames == 40
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with collect() as problems:
        source = open_source(path, "video")
    assert 15 <= source.count <= 30
    assert f"promises 40 frames, {source.count} can be read" in str(problems[0])
    assert len(list(source.frames())) == source.count
    with pytest.raises(BadInput, match="were asked for"):
        source.frames(0, 40)


def test_a_frame_lost_in_the_middle_is_an_error_and_not_a_shift(tmp_path):
    write_video(tmp_path / "a.mkv", numbered(20), 25)
    source = open_source(tmp_path / "a.mkv", "video")
    source._times = np.sort(np.append(source._times[:-1], 300.0))  # a packet at 300 ms that does not decode
    assert len(list(source.frames(0, 8))) == 8
    with pytest.raises(BadInput, match="frame 8 of 20 cannot be decoded"):
        list(source.frames())


def test_a_variable_rate_is_told_and_its_mean_taken(tmp_path):
    path = encode(tmp_path / "a.mp4", numbered(41), "mp4v")
    hurry(path, 20)  # 20 intervals of 10 ms, 20 of 5 ms
    with collect() as problems:
        source = open_source(path, "video")
    assert source.fps == pytest.approx(40 / 0.3, rel=1e-3)
    assert "frame times vary" in problems[0].what and "mean" in problems[0].what
    assert problems[0].severity == "warning" and len(list(source.frames())) == 41


def test_a_constant_rate_is_not_called_variable(tmp_path):
    write_video(tmp_path / "a.mkv", numbered(50), 240)  # Matroska rounds 4.17 ms to 4 or 5
    with collect() as problems:
        assert open_source(tmp_path / "a.mkv", "video").fps == 240
    assert not problems


def test_unicode_spaces_and_links(tmp_path):
    folder = tmp_path / "Vidéo größe 微表情"
    write_video(folder / "clip № 1.mkv", numbered(5), 25)
    (tmp_path / "link.mkv").symlink_to(folder / "clip № 1.mkv")
    for path in (folder / "clip № 1.mkv", tmp_path / "link.mkv"):
        assert len(list(open_source(path, "video").frames())) == 5


def test_one_frame_is_no_clip(tmp_path):
    write_video(tmp_path / "a.mkv", numbered(1), 25)
    with pytest.raises(BadInput, match="one frame: a micro-expression needs at least two"):
        open_source(tmp_path / "a.mkv", "video")


def test_a_picture_is_refused_with_a_reason(shared):
    path = Path(shared, "data", "video", "multi_face.jpg")
    for kind in ("frames", "video"):
        with pytest.raises(BadInput, match=r"multi_face\.jpg: one frame: a micro-expression needs at least two"):
            open_source(path, kind)
