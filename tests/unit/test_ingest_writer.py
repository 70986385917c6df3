"""Lossless video: every bit comes back, and a disk that fills up is said."""

import os
import subprocess

import numpy as np
import pytest

from mer_lib.ingest.source import open_source
from mer_lib.ingest.writer import write_video
from mer_lib.problems import BadInput

FRAMES = np.random.default_rng(0).integers(0, 256, (40, 64, 96, 3), dtype=np.uint8)


def test_every_bit_comes_back(tmp_path):
    assert write_video(tmp_path / "new" / "a.avi", FRAMES, 200) == len(FRAMES)
    source = open_source(tmp_path / "new" / "a.avi", "video")
    assert source.fps == 200
    np.testing.assert_array_equal(np.stack(list(source.frames())), FRAMES)


def test_same_frames_same_bytes(tmp_path):
    for name in ("a.avi", "b.avi"):
        write_video(tmp_path / name, iter(FRAMES), 200)
    assert (tmp_path / "a.avi").read_bytes() == (tmp_path / "b.avi").read_bytes()


def test_nothing_to_write_leaves_nothing(tmp_path):
    with pytest.raises(BadInput, match="no frames"):
        write_video(tmp_path / "a.avi", [], 200)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_said(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no leave to mount here")
    try:
        with pytest.raises(OSError, match="No space left"):
            write_video(disk / "a.avi", FRAMES, 200)
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
