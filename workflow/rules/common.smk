# What the rules share: the settings, the plan of each corpus (its clip table, before anything runs) and the recipes by
# which a store knows, and its readers check, what made it. Helpers only, no rules.
import os
import sys
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

# This checkout's library, here and in the jobs, whatever the environment has installed (a second clone, dvc exp).
HERE = str(Path(str(workflow.current_basedir)).parent.parent.resolve())
sys.path.insert(0, HERE)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [HERE, os.environ.get("PYTHONPATH")])
)
# Jobs are the parallelism; threads of BLAS would only fight over the cores and change the last bits.
for variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
):
    os.environ[variable] = "1"

from mer_lib import clips, params, provenance, registry
from mer_lib.corpora import indexing
from mer_lib.ingest.measure import measure
from mer_lib.learning import protocols
from mer_lib.learning.guard import LeakError
from mer_lib.problems import BadInput


def in_one_line(function, *arguments, **named):
    """Call it; a user's mistake ends the run with its one line instead of a traceback."""
    try:
        return function(*arguments, **named)
    except (BadInput, LeakError) as error:
        raise WorkflowError(str(error)) from None


SETTINGS = in_one_line(params.load, "params.yaml", config)
CORPORA = {corpus.name: corpus for corpus in SETTINGS.all_corpora()}
EXPERIMENTS = SETTINGS.all_experiments()
LOCAL = Path("local.yaml")
ROOTS = (
    ((yaml.safe_load(LOCAL.read_text()) or {}).get("roots") or {})
    if LOCAL.exists()
    else {}
)


def root(corpus):
    """Where a corpus lies: data/{corpus}, or what local.yaml says."""
    return str(ROOTS.get(corpus, f"data/{corpus}"))


@cache
def plan(corpus):
    """The clip table of a corpus and the problems of its sheet, known before the DAG is built."""
    limits = SETTINGS.ingest.model_dump()
    return in_one_line(
        indexing.index, CORPORA[corpus], root(corpus), ".mer/index", measure, **limits
    )


@cache
def shards(corpus):
    """Shard name -> its rows of the clip table."""
    return clips.shards(plan(corpus)[0], SETTINGS.shards.size)


def per_shard(pattern):
    """An input function: the pattern once a shard of the corpus, other wildcards as they are."""
    return lambda wc: expand(pattern, shard=list(shards(wc.corpus)), **dict(wc))


@cache
def folds(corpus, protocol):
    """The folds of a corpus under a protocol, from the clip table alone."""
    return in_one_line(protocols.make_folds, protocol, plan(corpus)[0])


@cache
def scored(corpus):
    """The experiments that a corpus can be scored under: none where the labels leave nothing to hold out."""
    labelled = plan(corpus)[0].query("label != ''")
    enough = labelled["subject"].nunique() >= 2 and labelled["label"].nunique() >= 2
    return EXPERIMENTS if enough else {}


class Stage:
    """What a stage will do, as data: its options, its code and the stages above it; `made` is a rule's param."""

    def __init__(self, name, modules, options, above=()):
        self.name, self.modules, self.options, self.above = (
            name,
            modules,
            options,
            above,
        )

    def recipe(self, wc):
        return self.made(wc)["recipe"]

    def made(self, wc):
        wc = dict(wc)
        options = self.options(wc)
        code = provenance.code_digest(
            *(self.modules(wc) if callable(self.modules) else self.modules)
        )
        above = {
            stage.name: stage.recipe(w)
            for stage, w in (
                self.above(wc)
                if callable(self.above)
                else [(s, wc) for s in self.above]
            )
        }
        found = {
            "stage": self.name,
            "corpus": wc["corpus"],
            "options": options,
            "code": code,
            "above": above,
        }
        found["recipe"] = provenance.recipe(self.name, options, code, above.values())
        if "shard" in wc:
            found |= {
                "shard": wc["shard"],
                "rows": clips.digest(shards(wc["corpus"])[wc["shard"]]),
            }
        return found


wildcard_constraints:
    corpus=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    shard=r"\d+",
    group=r"\d+",
    protocol=r"[a-z0-9_]+",
    descriptor=r"[a-z0-9_]+",
    experiment=r"[A-Za-z0-9][A-Za-z0-9_.@-]*",
    pairs="onset_apex|frames",
