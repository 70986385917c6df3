# What the rules share: the settings, and the plan of each corpus (its clip table, its shards and folds), which is known
# before anything runs, so that `snakemake -n` always shows everything. Helpers only, no rules.
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pandas as pd
import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

# This checkout's library, here and in the jobs, whatever the environment has installed (a second clone, dvc exp).
# Jobs are the parallelism: threads of BLAS would only fight over the cores and change the last bits.
HERE = str(Path(str(workflow.current_basedir)).parent.parent.resolve())
environment = os.environ
environment["PYTHONPATH"] = os.pathsep.join(filter(None, [HERE, environment.get("PYTHONPATH")]))
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    environment[variable] = "1"
sys.path.insert(0, HERE)

from mer_lib import clips, params, presence, problems, provenance, registry
from mer_lib.corpora import forgotten, indexing
from mer_lib.corpora.parts import parts_of
from mer_lib.descriptors import reading
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


def with_types(value):
    """A value of --config with the types of YAML: Snakemake leaves everything inside its lists and mappings text."""
    if isinstance(value, dict):
        return {name: with_types(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_types(inner) for inner in value]
    for read in (int, float, yaml.safe_load):
        try:
            return read(value) if isinstance(value, str) else value
        except (ValueError, yaml.YAMLError):
            continue
    return value


# A run that was killed leaves Snakemake's locks behind. Where no other run is present they are nobody's.
if workflow.is_main_process and not workflow.dryrun:
    PRESENCE, alone = presence.announce(".mer/run.lock")
    for lock in Path(".snakemake/locks").glob("*.lock") if alone else []:
        lock.unlink(missing_ok=True)

asked = with_types(workflow.config_settings.config or {})
update_config(config, asked)
if "name" in (asked.get("auxiliary") or ""):  # another corpus, which has nothing of the one in the file
    config["auxiliary"] = asked["auxiliary"]
SETTINGS = in_one_line(params.load, "params.yaml", config)
CORPORA = {corpus.name: corpus for corpus in SETTINGS.all_corpora()}
AUXILIARY = SETTINGS.auxiliary_corpus().name  # it trains where a network asks for it, and is never scored
KNOWN = {AUXILIARY: SETTINGS.auxiliary_corpus(), **CORPORA}
EXPERIMENTS = SETTINGS.all_experiments()
CONTROLS = SETTINGS.all_controls()  # made when asked for
SETS = in_one_line(SETTINGS.all_sets)  # so are these: target -> its experiments
NAMED = {
    **{name: experiment for block in SETS.values() for name, experiment in block.items()},
    **EXPERIMENTS,
    **CONTROLS,
}
ROOTS = in_one_line(params.local_roots, "local.yaml", KNOWN)
FORGOTTEN = in_one_line(forgotten.read)  # people who are in no table


def root(corpus):
    """Where a corpus lies: data/{corpus}, or what local.yaml says."""
    return str(ROOTS.get(corpus, f"data/{corpus}"))


def adapter(corpus):
    """What the adapter of a corpus declares."""
    return registry.get("corpus", KNOWN[corpus].adapter).meta


def roots(corpus):
    """Data set -> folder of its media: the corpus's, or those of the parts of a composite."""
    composite = adapter(corpus).get("composite")
    return {d: root(d if composite else corpus) for d in plan(corpus)[0]["dataset"].unique()}


def is_synthetic(corpus):
    return bool(adapter(corpus).get("synthetic"))


def filmed(corpora=CORPORA):
    """The corpora with media; the others bring features that somebody has published."""
    return [corpus for corpus in corpora if not adapter(corpus).get("features")]


def either(corpora):
    """A pattern for these corpora and no others."""
    return "|".join(re.escape(corpus) for corpus in sorted(corpora)) or "-"


@cache
def plan(corpus):
    """The clip table of a corpus and the problems of its sheet, known before the DAG is built."""
    if adapter(corpus).get("meshes"):
        raise WorkflowError(f"{corpus} holds 3-D faces and no clips; `mer index {corpus}` lists its meshes")
    limits = SETTINGS.ingest.model_dump()
    return in_one_line(indexing.index, KNOWN[corpus], root(corpus), ".mer/index", measure, root, FORGOTTEN, **limits)


@cache
def shards(corpus):
    """Shard name -> its rows of the clip table."""
    return clips.shards(plan(corpus)[0], SETTINGS.shards.size)


@cache
def folds(corpus, protocol):
    """The folds of a corpus under a protocol, from the clip table alone."""
    options = SETTINGS.options("protocol", protocol)
    return in_one_line(protocols.make_folds, protocol, plan(corpus)[0], **options)


def under_protocols(corpus, experiments):
    """(protocol, experiment) pairs that a corpus is scored under: none where the labels leave nothing to hold out."""
    labelled = plan(corpus)[0].query("label != ''")
    enough = labelled["subject"].nunique() >= 2 and labelled["label"].nunique() >= 2
    had, seen = adapter(corpus).get("features"), corpus in filmed()
    fitting = [e for e in experiments.values() if not had or e.descriptor == had]
    return [(p, e.name) for e in fitting for p in e.protocols if seen or not of_views(p)] if enough else []


@cache
def scored(corpus):
    return under_protocols(corpus, EXPERIMENTS)


@cache
def controlled(corpus):
    return under_protocols(corpus, CONTROLS)


def trains_on(protocol):
    """Which views of a clip a protocol trains on."""
    return registry.get("protocol", protocol).meta.get("trains_on", "original")


def tests_on(protocol):
    """Which views of a clip a protocol tests."""
    return registry.get("protocol", protocol).meta.get("tests_on", "original")


def of_views(protocol):
    """Whether a protocol trains or tests on generated views."""
    return (trains_on(protocol), tests_on(protocol)) != ("original", "original")


def members(target):
    """A function: the (protocol, experiment) pairs of a set that a corpus is scored under."""
    return cache(lambda corpus: under_protocols(corpus, SETS[target]))


def in_set(function, *arguments):
    """An input function or param of the set that the wildcard names: ``function`` of chosen pairs, such as of_corpus."""
    return lambda wc: function(*arguments, members(wc.target))(wc)


def recorded(chosen):
    """Those of the chosen pairs whose oracle is recorded."""
    return lambda corpus: [(protocol, name) for protocol, name in chosen(corpus) if NAMED[name].oracle]


def classes(corpus):
    return list(params.class_names(KNOWN[corpus].classes))


def reads(descriptor):
    """The stages that a descriptor reads: registered frames, and one kind of motion (reading.PAIRS)."""
    return reading.stages(registry.get("descriptor", descriptor))


def pairs_read(descriptor):
    """The pairs of frames whose motion a descriptor reads; None where it reads frames alone."""
    return next((stage for stage in reads(descriptor) if stage in reading.PAIRS), None)


def attended(corpus, chosen):
    """The protocols of the chosen experiments that train on attended views."""
    return sorted({protocol for protocol, _ in chosen(corpus) if trains_on(protocol) == "attended"})


def attention_reads():
    """The descriptor that the network of the attention reads."""
    return registry.get("model", SETTINGS.attention.network).meta["inputs"]


def looked_at(corpus, chosen):
    """What attention reads of recordings, where the protocol of a chosen experiment asks for it."""
    return {attention_reads()} if attended(corpus, chosen) else set()


@cache
def descriptors_read(corpus):
    """What the chosen experiments and their attention read; of a corpus of published features, what it has."""
    read = sorted({experiment.descriptor for experiment in EXPERIMENTS.values()} | looked_at(corpus, scored))
    had = adapter(corpus).get("features")
    if had and had not in read:
        raise WorkflowError(f"error: corpus {corpus} has '{had}' only, which no experiment reads; name one that does")
    for name in (e.name for e in EXPERIMENTS.values() if had and e.descriptor != had):
        problems.note(f"experiment {name} is left out: corpus {corpus} has '{had}' only", "it needs the videos")
    return [had] if had else read


@cache
def subjects_of(corpus):
    """Folder -> the rows filmed into it, of a synthetic corpus; a lab's own data are nobody's output."""
    table = plan(corpus)[0]
    folder = table["source"].str.split("/").str[0]
    return dict(tuple(table.groupby(folder))) if is_synthetic(corpus) else {}


@cache
def sitters():
    """Who the depth network learns from: embedded people, and those of the 3-D sets with the files of their scans."""
    found = [{"clip": f"embedded/{n:04d}", "set": "", "scans": []} for n in range(SETTINGS.scans.people)]
    for name in SETTINGS.scans.sets:
        with problems.unspoken(FORGOTTEN.has_clip):
            table = in_one_line(registry.get("corpus", name).load(), root(name), name=name, classes=())
        table = FORGOTTEN.without(table)
        found += [
            {"clip": subject, "set": name, "scans": rows["source"].tolist()}
            for subject, rows in table.groupby("subject")
        ]
    return found


@cache
def sitter_shards():
    """Shard name -> its sitters."""
    people, size = sitters(), SETTINGS.scans.shard
    return {f"{at // size:03d}": people[at : at + size] for at in range(0, len(people), size)}


@cache
def lacking_apex(corpus):
    """The shards in which some clip has no annotated apex."""
    return [shard for shard, rows in shards(corpus).items() if rows["apex"].isna().any()]


def groups(corpus, protocol):
    """The names of the jobs that share the folds of a protocol."""
    count = -(-len(folds(corpus, protocol)) // SETTINGS.folds_per_job)
    return [f"{group:03d}" for group in range(count)]


def growing(need):
    """A resource, MB or minutes. Need is what a job asks for, a number or a function of its wildcards; each time it is tried
    again, as much more. Profiles of clusters try again (`retries`), each time as a new job."""
    return lambda wc, attempt: attempt * (need(wc) if callable(need) else need)


def forget_parts():
    """Folds of jobs that were killed, and whose parameters have changed since, so that nobody took them up."""
    shutil.rmtree(".mer/folds", ignore_errors=True)


def leave_folders():
    """Folders that dvc.yaml names and no experiment has asked for stay empty: without them `dvc commit` takes nothing."""
    views = [f"multiview/{stage}" for stage in ("views", "registered", "motion", "features")]
    of_corpus = ("apex", "depth", *views, "attention", "yaw")
    wanted = {**dict.fromkeys(filmed(), of_corpus), AUXILIARY: ("faces", "registered", "motion", "features")}
    for corpus in (corpus for corpus in wanted if Path(f"results/{corpus}/clips.csv").exists()):
        for folder in (root(corpus), *(f"results/{corpus}/{name}" for name in wanted[corpus])):
            Path(folder).mkdir(parents=True, exist_ok=True)


def say_summary():
    """The run's last word, printed when all is done."""
    for summary in (Path(f"results/{corpus}/summary.txt") for corpus in CORPORA):
        if summary.exists():
            print(summary.read_text(encoding="utf-8"), end="")


def leave_queue(logs):
    """Take what a cancelled run has left out of Slurm's queue. The plugin misses the jobs that it is submitting, or asking
    after, when Ctrl-C comes; all of a run's jobs bear its id as their name."""
    told = "".join(Path(log).read_text(encoding="utf-8") for log in logs)
    for run in re.findall(r"^SLURM run ID: (\S+)", told, flags=re.M):
        subprocess.run(["scancel", f"--name={run}"], check=False)


def say_problems():
    """What went wrong with clips, where a run ends early."""
    for table in (Path(f"results/{corpus}/problems.csv") for corpus in CORPORA):
        if table.exists():
            print(problems.losses(pd.read_csv(table, dtype=str, keep_default_na=False)), end="")


wildcard_constraints:
    corpus=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    shard=r"\d+",
    group=r"\d+",
    protocol=r"[a-z0-9_]+",
    descriptor=r"[a-z0-9_]+",
    experiment=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    pairs="|".join(reading.PAIRS),
    target="|".join(SETS),
