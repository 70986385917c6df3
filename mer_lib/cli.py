"""``mer``, the command line: one function a command, what it does in ``mer_lib.commands``.

Everything heavy is imported inside the commands, so that ``mer --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from mer_lib.problems import BadInput, BadPackage


class _Group(TyperGroup):
    """Bad input ends any command with one line and exit code 2."""

    def invoke(self, ctx):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text in the terminal's encoding
        try:
            return super().invoke(ctx)
        except (BadInput, BadPackage) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Facial micro-expressions: score predictions, list what there is to choose from, check a machine.\n\n"
    "The pipeline itself is run by Snakemake: snakemake --cores 8 all",
)


export = typer.Typer(no_args_is_help=True, help="Faces as meshes, and generated views, as files for other programs.")
app.add_typer(export, name="export")


@app.command()
def metrics(
    file: Annotated[Path, typer.Argument(help="CSV file, one row a prediction.")],
    truth: Annotated[str, typer.Option(help="Column of the true classes.")] = "truth",
    predicted: Annotated[str, typer.Option(help="Column of the predicted classes.")] = "predicted",
    classes: Annotated[str, typer.Option(help="Class names in order, with commas; else taken from the table.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics file's JSON instead.")] = False,
) -> None:
    """UF1, UAR, accuracy and the confusion matrix of any table of truth and prediction.

    Figures are pooled over all rows, as the MEGC 2019 protocol says. Classes are names, or 0, 1, 2 for negative,
    positive, surprise. Where there are columns subject, dataset, seed or yaw, intervals over subjects, the parts, and
    the figures of each seed and view are added.

    Example: mer metrics results/synthetic/predictions/loso/ststnet.csv
    """
    import json

    from mer_lib.commands import scoring
    from mer_lib.evaluation.metrics import summary

    table = scoring.read(file, truth, predicted)
    found = summary(table, scoring.named(table, classes))
    if note := scoring.numbered(table, found["classes"]):
        typer.echo(note, err=True)
    typer.echo(json.dumps(found, indent=2) if as_json else scoring.text(found))


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="CSV file of predictions, one row each.")],
    second: Annotated[Path, typer.Argument(help="Another, of the same clips.")],
    truth: Annotated[str, typer.Option(help="Column of the true classes.")] = "truth",
    predicted: Annotated[str, typer.Option(help="Column of the predicted classes.")] = "predicted",
    classes: Annotated[str, typer.Option(help="Class names in order, with commas; else taken from the table.")] = "",
) -> None:
    """Whether one table of predictions is really better than another, over the subjects of both.

    The difference of pooled UF1 and UAR on the clips that both predicted, its bootstrap interval and the p of a paired
    permutation test; subjects are resampled and swapped, never clips. Columns clip and subject are needed.

    Example: mer compare results/synthetic/predictions/loso/bi_woof.csv results/synthetic/predictions/loso/ststnet.csv
    """
    from mer_lib.commands import scoring
    from mer_lib.evaluation.comparisons import difference

    tables = [scoring.read(file, truth, predicted) for file in (first, second)]
    typer.echo(scoring.difference(difference(*tables, scoring.named(tables[0], classes))))


@app.command("list")
def list_(
    kind: Annotated[
        str, typer.Argument(help="corpora, flows, descriptors, models, protocols, classifiers or sections.")
    ] = "",
) -> None:
    """What can be named in params.yaml: inputs, options with their defaults, and the paper of each.

    Without a kind, the names of every kind. In a pipe the lines are tab-separated and never wrapped.

    Example: mer list descriptors
    """
    from mer_lib.commands import listing

    if not kind:
        typer.echo(listing.overview())
        return
    rows = listing.rows(listing.kind(kind))
    if not rows:
        typer.echo(f"no {kind} are registered", err=True)
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(listing.rich(rows))
    else:
        typer.echo(listing.plain(rows))


@app.command()
def predict(
    clip: Annotated[Path, typer.Argument(help="A video, or a folder of numbered frames.", exists=True)],
    model: Annotated[Path, typer.Option(help="A trained model.")] = Path(
        "results/synthetic/models/ststnet.safetensors"
    ),
    weights: Annotated[
        Path | None,
        typer.Option(help="Any weights instead: a model, or STSTNet's state dict (.pth) as its authors publish it."),
    ] = None,
    onset: Annotated[int | None, typer.Option(help="First frame, counted from 0; else the clip's first.")] = None,
    apex: Annotated[int | None, typer.Option(help="Frame of the strongest movement; else it is spotted.")] = None,
    offset: Annotated[int | None, typer.Option(help="Last frame; else the clip's last.")] = None,
    picture: Annotated[Path, typer.Option(help="PNG with onset, apex, motion and probabilities.")] = Path("mer.png"),
    saliency: Annotated[Path | None, typer.Option(help="PNG with what in a network's input speaks for it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Class probabilities of one clip by a trained model, and a picture of the motion they rest on.

    The clip goes through the same stages, with the same options, as the clips the model was trained on; before
    published weights the stages are set as params.yaml has them.

    Example: mer predict my_video.mp4 --onset 10 --offset 40
    """
    import json

    from mer_lib.commands import predict as predicting

    read = predicting.given(weights) if weights else predicting.trained(model)
    found = predicting.predict(clip, read, onset=onset, apex=apex, offset=offset)
    predicting.picture(found, picture)
    if saliency:
        from mer_lib.commands import saliency as salient

        salient.picture(found, saliency)
    if as_json:
        typer.echo(json.dumps({**found.facts(), "picture": str(picture)}))
        return
    for name, share in sorted(found.probabilities.items(), key=lambda item: -item[1]):
        typer.echo(f"{name:12s} {share:.3f}")
    spotted = " (spotted)" if found.spotted else ""
    typer.echo(f"onset {found.onset}, apex {found.apex}{spotted}; picture: {picture}")
    typer.echo(f"warning: {found.warning}", err=True)


@app.command()
def magnify(
    clip: Annotated[Path, typer.Argument(help="A video, or a folder of numbered frames.", exists=True)],
    out: Annotated[Path, typer.Argument(help="The magnified video, .avi (lossless).")],
    factor: Annotated[float, typer.Option(help="How many times larger movements shall be.")] = 10.0,
    method: Annotated[
        str, typer.Option(help="eulerian (robust, bounded) or lagrangian (true to the factor; a face held still).")
    ] = "eulerian",
    band: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Hertz, low and high: what moves slower or faster stays. Else that of micro-expressions."),
    ] = None,
    interval: Annotated[
        tuple[int, int, int] | None,
        typer.Option(help="Onset, apex and offset of an expression, from 0: the band is chosen for it."),
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second; needed for a folder.")] = None,
    reach: Annotated[float, typer.Option(help="Pixels, the largest movement that eulerian is to magnify.")] = 0.25,
) -> None:
    """A copy of a video in which small movements are large. Memory does not grow with its length.

    A fast recording plays at 30 frames a second, so in slow motion. What the methods can do and where they fail:
    docs/magnification.md.

    Example: mer magnify my_video.mp4 large.avi --factor 10
    """
    from mer_lib.commands.magnify import magnify as run

    done = run(clip, out, factor=factor, method=method, band=band, interval=interval, fps=fps, reach=reach)
    typer.echo(f"{out}: {done}")


@app.command()
def provenance(
    file: Annotated[Path, typer.Argument(help="Any output: a table, a store, a model, metrics, the report.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all params.")] = False,
) -> None:
    """What made an output: the rule, its params and code, the versions, its inputs, and what made those.

    Example: mer provenance results/synthetic/metrics/loso/ststnet.json
    """
    import json

    from mer_lib.commands import provenance as tracing

    found = tracing.trace(file)
    typer.echo(json.dumps([each.row() for _, each, _ in found]) if as_json else tracing.text(found))


@export.command("mesh")
def export_mesh(
    clip: Annotated[str, typer.Argument(help="Id of a clip whose depth is made: dataset/subject/name.")],
    out: Annotated[Path, typer.Argument(help="The file, .glb (binary glTF).")],
    frame: Annotated[int | None, typer.Option(help="Frame of its source, from 0; else the clip's first.")] = None,
    corpus: Annotated[str, typer.Option(help="The corpus, where the id's data set is a part of a composite.")] = "",
) -> None:
    """A face in one frame as a surface with the frame as its texture, in metres, which any 3-D program opens.

    Depth is that of the pipeline, made by: snakemake multiview

    Example: mer export mesh synthetic/s01/c01 face.glb --frame 20
    """
    from mer_lib.commands.export import mesh, note

    typer.echo(f"{out}: {mesh(clip, out, frame, corpus)}")
    typer.echo(note(corpus or clip.partition("/")[0]), err=True)


@export.command("views")
def export_views(
    corpus: Annotated[str, typer.Argument(help="A corpus whose views are made by: snakemake multiview")],
    out: Annotated[Path, typer.Argument(help="A new folder for the pictures and their clips.csv.")],
    pairs: Annotated[
        str, typer.Option(help="onset_apex (two images a view) or frames (a video a view).")
    ] = "onset_apex",
    allowed: Annotated[
        bool, typer.Option("--allowed", help="The licence and the people allow these files there.")
    ] = False,
) -> None:
    """A corpus from the sides as plain files, with a sheet of clips and yaws that the adapter folder reads too.

    Pictures of people belong to them and to the data set: for anything but rendered faces say that you may.

    Example: mer export views synthetic views/
    """
    from mer_lib.commands.export import MAKE, views

    done = views(corpus, out, pairs=pairs, allowed=allowed)
    for problem in done.lost:
        typer.echo(f"lost: {problem}", err=True)
    if done.unmade:
        typer.echo(f"{done.unmade} clips have no views yet; {MAKE}", err=True)
    typer.echo(f"{out}: {done.clips} clips in {len(done.rows)} views, with clips.csv")


Root = Annotated[
    Path | None,
    typer.Option(help="Its folder, or the one that holds those of a composite's parts; else local.yaml, data/NAME."),
]
Given = Annotated[
    list[str] | None,
    typer.Option("--set", help="An option of the adapter, such as scheme=own or classes=[happiness,disgust]."),
]


@app.command()
def index(
    corpus: Annotated[str, typer.Argument(help="A corpus of params.yaml, or an adapter: mer list corpora.")],
    root: Root = None,
    given: Given = None,
    out: Annotated[Path | None, typer.Option(help="CSV file of the table; else NAME-clips.csv here.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every problem.")] = False,
) -> None:
    """Index a data set as the pipeline does: what there is, what does not match, and the clip table as a file.

    Example: mer index casme2 --root /data/CASME2 --set scheme=own --set classes=[happiness,disgust,surprise]
    """
    from mer_lib.commands import index as indexing

    where = indexing.place(corpus, root, indexing.options(given or ()))
    found = indexing.index(where)
    typer.echo(indexing.text(found, where, everything=everything))
    path = out or indexing.default_out(where)
    indexing.save(found, path)
    typer.echo(f"written: {path}")


@app.command()
def cut(
    corpus: Annotated[str, typer.Argument(help="A corpus of params.yaml, or an adapter: mer list corpora.")],
    out: Annotated[Path, typer.Argument(help="A new folder for the clips and their clips.csv.")],
    margin: Annotated[int, typer.Option(help="Frames kept before the onset and after the offset.", min=0)] = 0,
    kind: Annotated[str, typer.Option("--type", help="micro or macro.")] = "micro",
    root: Root = None,
    given: Given = None,
) -> None:
    """Cut the annotated intervals of long videos into recordings of their own, as the adapter folder reads them.

    Frames are copied as they are, videos become lossless ones.

    Example: mer cut casme_sq data/casme_sq_clips --margin 15
    """
    from mer_lib.commands import cut as cutting
    from mer_lib.commands import index as indexing

    where = indexing.place(corpus, root, indexing.options(given or ()))
    done = cutting.cut_corpus(where, out, margin=margin, kind=kind)
    for problem in done.problems:
        typer.echo(f"lost: {problem}", err=True)
    typer.echo(f"{out}: {len(done.sheet)} clips of {done.sheet['subject'].nunique()} subjects, with clips.csv")


@app.command()
def forget(
    subject: Annotated[str, typer.Argument(help="Id as in clips.csv, dataset/subject; the subject alone if unique.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this it is only told what would be removed.")
    ] = False,
    recordings: Annotated[bool, typer.Option("--recordings", help="Remove their recordings as well.")] = False,
) -> None:
    """Take a person out: of all that was made here, of caches and of DVC; and out of every run from now on.

    What cannot be reached from here is named: sheets, git's history, DVC's remotes, copies.

    Example: mer forget synthetic/s01
    """
    from mer_lib.commands import forget as forgetting

    if yes:
        typer.echo(forgetting.take_out(subject, recordings=recordings))
    else:
        typer.echo(forgetting.text(forgetting.find(subject, recordings=recordings), done=False))


@app.command()
def doctor(
    what: Annotated[
        str, typer.Argument(help="A corpus, to look at; or the folder where the pipeline is to run.")
    ] = ".",
    root: Root = None,
    given: Given = None,
) -> None:
    """Try everything a run needs on this machine, or look at a data set; each line that fails says what to do.

    Of a data set it tells what was looked for, what is there instead, and what the folder should look like. Exit code 1
    if anything fails.

    Example: mer doctor casme2 --root /data/CASME2
    """
    from mer_lib.commands import doctor as machine

    if root is None and not given and Path(what).is_dir() and not machine.is_corpus(what):
        verdicts = machine.examine(Path(what))
        failed = [verdict for verdict in _shown(verdicts) if not verdict.ok]
        raise typer.Exit(1 if failed else 0)
    from mer_lib.commands import corpus_doctor, index

    where = index.place(what, root, index.options(given or ()))
    failed = False
    for examined in corpus_doctor.examine(where):
        typer.echo(examined.name)
        list(_shown(examined.verdicts))
        typer.echo(examined.below(), nl=False)
        failed |= not examined.ok
    raise typer.Exit(1 if failed else 0)


def _shown(verdicts):
    for verdict in verdicts:
        typer.echo(str(verdict))
        yield verdict
