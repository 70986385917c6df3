"""``mer``, the command line: one function a command, what it does in ``mer_lib.commands``.

Everything heavy is imported inside the commands, so that ``mer --help`` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from mer_lib.problems import BadInput


class _Group(TyperGroup):
    """Bad input ends any command with one line and exit code 2."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BadInput as error:
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
    import sys

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
    onset: Annotated[int | None, typer.Option(help="First frame, counted from 0; else the clip's first.")] = None,
    apex: Annotated[int | None, typer.Option(help="Frame of the strongest movement; else it is spotted.")] = None,
    offset: Annotated[int | None, typer.Option(help="Last frame; else the clip's last.")] = None,
    picture: Annotated[Path, typer.Option(help="PNG with onset, apex, motion and probabilities.")] = Path("mer.png"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Class probabilities of one clip by a trained model, and a picture of the motion they rest on.

    The clip goes through the same stages, with the same options, as the clips the model was trained on.

    Example: mer predict my_video.mp4 --onset 10 --offset 40
    """
    import json

    from mer_lib.commands import predict as predicting

    found = predicting.predict(clip, model, onset=onset, apex=apex, offset=offset)
    predicting.picture(found, picture)
    if as_json:
        typer.echo(json.dumps({**found.facts(), "picture": str(picture)}))
        return
    for name, share in sorted(found.probabilities.items(), key=lambda item: -item[1]):
        typer.echo(f"{name:12s} {share:.3f}")
    spotted = " (spotted: the largest mean flow from the onset)" if found.spotted else ""
    typer.echo(f"onset {found.onset}, apex {found.apex}{spotted}; picture: {picture}")
    typer.echo(f"warning: {found.warning}", err=True)


@app.command()
def doctor(
    folder: Annotated[
        Path, typer.Argument(help="Where the pipeline is to run.", exists=True, file_okay=False)
    ] = Path(),
) -> None:
    """Try everything a run needs on this machine; each line that fails says what to do.

    Exit code 1 if anything fails.
    """
    from mer_lib.commands.doctor import examine

    failed = 0
    for verdict in examine(folder):
        typer.echo(str(verdict))
        failed += not verdict.ok
    raise typer.Exit(1 if failed else 0)
