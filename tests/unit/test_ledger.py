"""The ledger: damaged inputs are named and moved aside, versions are told apart from damage."""

import hashlib
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from mer_lib import weights
from mer_lib.ledger import Ledger
from mer_lib.presence import announce
from mer_lib.problems import BadInput
from mer_lib.store import Header, Store, write_shard

SCRIPTS = Path(__file__).parent.parent.parent / "workflow/scripts"


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Ledger(".mer/made")


def enter(ledger, name: str, text: str, inputs=()) -> None:
    Path(name).write_text(text)
    ledger.enter([name], rule="cook", params={"salt": 1}, inputs=inputs)


def test_an_untouched_file_passes_and_an_unknown_one_too(ledger, tmp_path):
    enter(ledger, "soup.csv", "a,b\n1,2\n")
    (tmp_path / "source.csv").write_text("anything")
    ledger.check(["soup.csv", "source.csv"])


def test_an_input_that_is_gone_is_named(ledger):
    enter(ledger, "soup.csv", "a,b\n1,2\n")
    Path("soup.csv").unlink()
    with pytest.raises(BadInput, match=r"^soup\.csv: is not there any more; run again"):
        ledger.check(["soup.csv"])


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: bytes([b[0] ^ 1]) + b[1:], lambda b: b""])
def test_damage_is_named_and_moved_aside(ledger, tmp_path, damage):
    enter(ledger, "soup.csv", "a,b\n1,2\n")
    told = os.stat("soup.csv")
    broken = damage((tmp_path / "soup.csv").read_bytes())
    (tmp_path / "soup.csv").write_bytes(broken)
    os.utime("soup.csv", ns=(told.st_atime_ns, told.st_mtime_ns))  # a disk that rots leaves the time as it was
    with pytest.raises(BadInput, match=r"^soup\.csv: its bytes are not those that were written.*; run again"):
        ledger.check(["soup.csv"])
    assert not (tmp_path / "soup.csv").exists()
    assert (tmp_path / ".mer/broken/soup.csv").read_bytes() == broken, "somebody may have put it there"
    enter(ledger, "soup.csv", "a,b\n1,2\n")
    (tmp_path / "soup.csv").write_bytes(b"again")
    with pytest.raises(BadInput, match=r"moved to \.mer/broken/soup\.csv"):
        ledger.check(["soup.csv"])
    assert (tmp_path / ".mer/broken/soup.csv").read_bytes() == b"again"


def test_of_two_jobs_that_read_a_broken_file_one_moves_it(ledger, tmp_path, monkeypatch):
    """The other one, which saw it a moment before, says that it is gone, and what was kept stays."""
    enter(ledger, "soup.csv", "a,b\n1,2\n")
    (tmp_path / "soup.csv").write_text("spoiled")

    def meanwhile(path):
        with pytest.raises(BadInput, match="moved to"):
            ledger.check([path])
        return False

    with pytest.raises(BadInput, match="is not there any more"):
        ledger.check(["soup.csv"], known=meanwhile)
    assert [file.name for file in (tmp_path / ".mer/broken").iterdir()] == ["soup.csv"]
    assert (tmp_path / ".mer/broken/soup.csv").read_text() == "spoiled"


def test_a_damaged_folder_goes_as_a_whole(ledger, tmp_path):
    (tmp_path / "s01").mkdir()
    (tmp_path / "s01/a.avi").write_bytes(b"film")
    (tmp_path / "s01/.snakemake_timestamp").touch()
    ledger.enter(["s01"], rule="render", params={}, inputs=[])
    (tmp_path / "s01/.snakemake_timestamp").write_text("touched")  # Snakemake's own mark is no content
    ledger.check(["s01"])
    (tmp_path / "s01/a.avi").rename(tmp_path / "s01/b.avi")
    with pytest.raises(BadInput, match="s01"):
        ledger.check(["s01"])
    assert not (tmp_path / "s01").exists()


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_of_a_damaged_folder_only_broken_objects_leave_the_cache(ledger, tmp_path, monkeypatch, link):
    """Another version, or another project, may need the others."""
    monkeypatch.syspath_prepend(SCRIPTS)
    import _job

    objects = tmp_path / "cache/files/md5"
    places = {}
    Path("s01").mkdir()
    for name in ("whole", "rotten", "other"):
        digest = hashlib.md5(name.encode()).hexdigest()
        places[name] = objects / digest[:2] / digest[2:]
        places[name].parent.mkdir(parents=True)
        places[name].write_text(name)
        link(places[name], Path("s01", name))
    ledger.enter(["s01"], rule="render", params={}, inputs=[])
    Path("s01/other").unlink()  # another file in its place, and one more
    Path("s01/other").write_text("of somebody")
    Path("s01/added").write_text("of somebody")
    os.link("s01/added", "its twin")
    Path("s01/rotten").write_text("flipped")
    monkeypatch.setattr(_job, "cached", lambda: objects)
    with pytest.raises(BadInput, match="moved to"):
        ledger.check(["s01"], known=_job.versioned, broken=_job.uncache)
    assert [name for name, place in places.items() if place.exists()] == ["whole", "other"]
    assert Path("its twin").exists() and not Path(".mer/broken/s01/rotten").is_symlink()
    told = {file.name: file.read_text() for file in Path(".mer/broken/s01").iterdir()}
    assert told == {"whole": "whole", "rotten": "flipped", "other": "of somebody", "added": "of somebody"}


def test_a_version_that_was_put_there_is_no_damage(ledger, tmp_path):
    enter(ledger, "soup.csv", "salted")
    (tmp_path / "soup.csv").write_text("of another branch")
    ledger.check(["soup.csv"], known=lambda path: path.read_text() == "of another branch")
    assert ledger.entry("soup.csv") is None and (tmp_path / "soup.csv").exists()


def test_an_entry_names_its_inputs_with_their_digests(ledger):
    enter(ledger, "stock.csv", "bones")
    enter(ledger, "soup.csv", "soup", inputs=["stock.csv", "water"])
    entry = ledger.entry("./soup.csv")
    assert entry["rule"] == "cook" and entry["params"] == {"salt": 1} and "numpy" in entry["versions"]
    assert entry["inputs"] == {"stock.csv": ledger.entry("stock.csv")["digest"], "water": None}


def test_presence_ends_with_the_process(tmp_path):
    """A lock file would stay behind a process that was killed."""
    first, alone = announce(tmp_path / "a/run.lock")
    assert alone
    second, alone = announce(tmp_path / "a/run.lock")
    assert second and not alone
    first.close()
    second.close()
    third, alone = announce(tmp_path / "a/run.lock")
    assert alone
    third.close()


def flipped(path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def test_no_flipped_bit_of_a_model_passes(tmp_path):
    path = tmp_path / "model.safetensors"
    arrays = {"w": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.zeros(0, np.float32)}
    weights.save(path, arrays, {"made": "by hand"})
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole)
        flipped(path, at)
        try:
            found, card = weights.load(path)
        except BadInput:
            continue
        assert card == {"made": "by hand"} and all((found[name] == arrays[name]).all() for name in arrays), at


@pytest.mark.parametrize("seed", range(3))
def test_no_flipped_bit_of_a_store_gives_other_arrays(tmp_path, seed):
    """In a process that reads a store. (A job finds out before, from the ledger.)"""
    path = tmp_path / "s.h5"
    rng = np.random.default_rng(seed)
    arrays = {f"set/a/{i}": rng.normal(size=(5, 8, 8)).astype(np.float32) for i in range(3)}
    rows = [type("Row", (), {"clip": clip}) for clip in arrays]
    write_shard(path, Header("stage", "set", "0000", "recipe"), rows, lambda row: {"x": arrays[row.clip]})
    whole = path.read_bytes()
    with Store(path) as store, h5py.File(path) as file:
        where = [whole.index(store.digest.encode()), whole.index(b'"recipe"'), whole.rindex(b"set/a/1")]
        chunk = file["data/x"].id.get_chunk_info(0)
    where += [chunk.byte_offset + int(at) for at in rng.integers(chunk.size, size=20)]
    for at in where:
        path.write_bytes(whole)
        flipped(path, at)
        with pytest.raises(BadInput, match=r"s\.h5"), Store(path) as store:
            store.column("x")
