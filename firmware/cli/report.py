"""`rosette base report`: the survey's numbers, as files and as a table."""

from pathlib import Path

import click

from firmware.cli.options import config_option, load_or_exit
from firmware.cli.survey import now_s

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(
    epilog="Example: rosette base report --config base.toml --from 2026-03-01 --out report-spring"
)
@config_option
@click.option("--out", required=True, type=FOLDER, metavar="DIR", help="Where the files go.")
@click.option("--from", "start", metavar="TIME", help="ISO 8601, UTC; all from the first on.")
@click.option("--to", "end", metavar="TIME", help="ISO 8601, UTC; all up to now.")
def report(file: Path, out: Path, start: str | None, end: str | None) -> None:
    """Effort, detection rates, activity and species, as CSV and SVG.

    Names places and holds no coordinates. What no deployment covers is counted apart.
    """
    from rich.console import Console

    from firmware.base.settings import BaseSettings
    from firmware.base.store import StoreError
    from firmware.base.survey.book import Survey
    from firmware.base.survey.deployment_csv import parse_time
    from firmware.base.survey.numbers import Period
    from firmware.base.survey.reading import Reader
    from firmware.base.survey.report import compute, table, write_report
    from firmware.wire.errors import WireError

    settings = load_or_exit(file, BaseSettings)
    folder, survey = settings.store.data_dir, settings.survey
    try:
        period = Period(
            parse_time(start) if start else 0.0, parse_time(end) if end else float("inf")
        )
        with Console(stderr=True).status("reading and counting"):
            Survey(folder, survey.independence_s).close()  # reads what has come since
            with Reader(folder) as reader:
                found = compute(reader, survey, period, now_s())
        written = write_report(found, out)
    except ImportError as error:
        raise click.ClickException(f"{error}: install rosette[base] on the base") from error
    except (StoreError, WireError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write the report: {error}") from error
    click.echo(table(found))
    click.echo(f"\n{len(written)} files in {out}")
