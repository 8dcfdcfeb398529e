"""`rosette classify`: what the classifier says of pictures."""

from pathlib import Path

import click

from firmware.cli.options import FILE


@click.command(epilog="Example: rosette classify /media/sd-card --json > verdicts.jsonl")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--burst", is_flag=True, help="Judge each folder as one burst of a fixed camera.")
@click.option("--model", type=FILE, metavar="FILE", help="Another .tflite with its .json beside.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--runtime", type=click.Choice(["auto", "litert", "tflite"]), default="auto", show_default=True
)
def classify(
    paths: tuple[Path, ...], as_json: bool, burst: bool, model: Path | None, threads: int,
    runtime: str,
) -> None:  # fmt: skip
    """What the classifier says of pictures and folders.

    Exit status 1 if any picture could not be read; the others are judged all the same.
    """
    from firmware.trap.capture.classifier import Classifier, ModelError, shipped_model
    from firmware.trap.capture.classify import classify_paths, format_json, format_text
    from firmware.trap.settings import ClassifierSettings

    try:
        classifier = Classifier(model or shipped_model(), ClassifierSettings(
            runtime=runtime, threads=threads))  # fmt: skip
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    show = format_json if as_json else format_text
    failed = 0
    for result in classify_paths(list(paths), classifier, burst=burst):
        click.echo(show(result))
        failed += result.error is not None
    raise SystemExit(min(failed, 1))
