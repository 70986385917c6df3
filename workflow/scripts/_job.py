"""What every script does first: a log, one thread, a user's mistake in one line. The only adapter between Snakemake's
`snakemake` object and the library's plain arguments."""

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from mer_lib import clips, provenance, store
from mer_lib.learning.guard import LeakError
from mer_lib.ledger import Ledger
from mer_lib.problems import BadInput, BadPackage

# What the disk may refuse, and what the user can do about it. (The text of an error that h5py raises is its own.)
DISK = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or have the quota raised",
    errno.EACCES: "correct the permissions",
    errno.EPERM: "correct the permissions",
    errno.EROFS: "mount it writable, or work in another folder",
}
LEDGER = ".mer/made"


def cached():
    """The folder of DVC's cached files; None where there is no DVC."""
    asked = [sys.executable, "-m", "dvc", "cache", "dir"]  # this environment's, whatever is on PATH
    told = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return Path(told, "files", "md5").resolve() if told else None


def files_of(path):
    return [file for file in provenance.files_below(path) if not file.name.startswith(".snakemake")]


def named(objects, file):
    """Where DVC's cache keeps, or would keep, the bytes of a file: objects are named by their MD5."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return Path(objects, digest[:2], digest[2:])


def versioned(path):
    """Whether git or DVC has put these very bytes there: a branch was switched, results were pulled. Never no bytes: a
    crash leaves files empty, no output is, and git knows the empty file from elsewhere."""
    objects = cached()

    def in_git(file):
        blob = subprocess.run(["git", "hash-object", file], capture_output=True, text=True).stdout.strip()
        return bool(blob) and not subprocess.run(["git", "cat-file", "-e", blob], capture_output=True).returncode

    def in_dvc(file):
        return bool(objects) and named(objects, file).exists()

    files = files_of(path)
    return bool(files) and all(file.stat().st_size and (in_dvc(file) or in_git(file)) for file in files)


def uncache(path):
    """Take broken bytes out of DVC's cache as well, where they are a link to it, or DVC would bring them back. Objects
    whose bytes are those of their name stay: other versions and projects may need them."""
    objects, broken = cached(), set()
    for file in files_of(path) if objects else ():
        whole, target, told = named(objects, file), file.resolve(), file.stat()
        if whole.exists() and whole.samefile(file):
            continue
        if file.is_symlink() and objects in target.parents:
            file.unlink()
            shutil.move(target, file)
        elif told.st_nlink > 1:
            broken.add((told.st_dev, told.st_ino))
    for twin in objects.glob("*/*") if broken else ():  # once: an object with other bytes is not known by its name
        if (twin.stat().st_dev, twin.stat().st_ino) in broken:
            twin.unlink()


@contextmanager
def job(snakemake):
    """Log to the rule's log file; end on a mistake with its one line, which Snakemake shows, and without a traceback.

    Inputs are checked against the ledger before they are read; what was made is entered in it.
    """
    handler = logging.FileHandler(snakemake.log[0], mode="w", encoding="utf-8")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
    logging.captureWarnings(True)
    ledger, inputs = Ledger(LEDGER), list(snakemake.input)
    try:
        ledger.check(inputs, known=versioned, broken=uncache)
        yield
        made = {"rule": snakemake.rule, "params": dict(snakemake.params.items()), "inputs": inputs}
        ledger.enter(snakemake.output, **made)
    except (BadInput, BadPackage, LeakError) as error:
        logging.error("%s", error)
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in DISK:
            logging.exception("the job failed")
            raise
        line = f"{error.filename or snakemake.output[0]}: {os.strerror(error.errno)}; {DISK[error.errno]}, run again"
        logging.error("%s", line)
        sys.exit(f"error: {line}")
    except Exception:
        logging.exception("the job failed")
        raise


def device(snakemake):
    """'cuda' where the profile gives the rule a GPU, else 'cpu'."""
    return "cuda" if snakemake.resources.get("gpu", 0) else "cpu"


def shard_rows(snakemake, *above):
    """The clips of the job's shard as named tuples; with stores above, those that are still in all of them."""
    rows = pd.DataFrame(snakemake.params.made["rows"]).itertuples(index=False)
    return [row for row in rows if all(row.clip in store for store in above)]


def opened(snakemake, stage, path):
    """A store of the stage above, refused if other parameters or code made it."""
    return store.Store(path, recipe=snakemake.params.made["above"][stage])


def apexes(snakemake):
    """A function: the apex of a row in frames of its source, by the sheet or as it was spotted. Raises BadInput."""
    spotted = pd.read_csv(snakemake.input.apex).set_index("clip")["apex"] if snakemake.input.apex else {}

    def apex_of(row):
        apex = spotted.get(row.clip, row.apex)
        if pd.isna(apex):
            raise BadInput("no apex in the sheet and none to be spotted: nothing moves", "check onset and offset")
        return int(apex)

    return apex_of


def samples(snakemake):
    """The features of all clips that are left, and of their generated views where the job reads them, with the rows
    that say whose they are; large ones stay in the store."""
    import numpy as np

    from mer_lib.learning.rows import Joined, Rows
    from mer_lib.learning.samples import finite
    from mer_lib.views import YAW

    table, found = clips.load(snakemake.input.clips).set_index("clip", drop=False), []
    views = snakemake.input.get("views")
    for stage, path in (("features", snakemake.input.features), *([("views_features", views)] if views else [])):
        features = opened(snakemake, stage, path)
        if not features.clips:
            raise BadInput("no clip is left to learn from", "see problems.csv for why", file=path)
        ids = np.repeat(features.clips, np.diff(features.offsets("x")))
        yaw = features.column(YAW) if YAW in features.names() else 0
        found.append((features.stored("x"), table.loc[ids].assign(yaw=yaw)))
    return finite(Rows(Joined([x for x, _ in found])), pd.concat([rows for _, rows in found], ignore_index=True))


def auxiliary(snakemake):
    """The samples of the auxiliary corpus, read alike; None where the experiment has none."""
    from mer_lib.learning.rows import Rows
    from mer_lib.learning.samples import finite

    made = snakemake.params.made["options"]["auxiliary"]
    if not made:
        return None
    path, features = snakemake.input.auxiliary
    read, table = store.Store(features, recipe=made["recipe"]), clips.load(path).set_index("clip", drop=False)
    if not read.clips:
        raise BadInput("no auxiliary clip is left to learn from", "look at its clips", file=path)
    return finite(Rows(read.stored("x")), table.loc[read.clips].assign(yaw=0).reset_index(drop=True))


def header(snakemake, **inputs):
    """The header of the job's store: what made it, and the digests of its inputs."""
    made = snakemake.params.made
    params = {"options": made["options"], "rows": provenance.digest(made["rows"])}
    named = {key: made[key] for key in ("stage", "corpus", "shard", "recipe", "code")}
    return store.Header(**named, params=params, inputs=inputs, versions=provenance.versions())
