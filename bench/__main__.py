"""Runs the benchmarks: `python -m bench [NAME...]`. Table on stdout, JSON in bench/results."""

import argparse
import dataclasses
import datetime
import importlib
import json
import os
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import Result

MODULES = ("outbox", "uplink", "ingest", "capture", "classifier", "lora", "fleet", "dashboard")
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the named modules (all by default). Exit status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODULES)}")
    names = parser.parse_args().names or list(MODULES)
    if unknown := [name for name in names if name not in MODULES]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(MODULES)}")
    results: list[Result] = []
    for name in names:
        print(f"running {name} ...", file=sys.stderr, flush=True)
        results += importlib.import_module(f"bench.{name}").run()
    Console(width=140 if not sys.stdout.isatty() else None).print(_table(results))
    path = _save(results)
    print(f"written to {path}")
    return 1 if any(result.met is False for result in results) else 0


def _table(results: list[Result]) -> Table:
    table = Table("what", "value", "baseline", "ratio", "bar", "met")
    for r in results:
        base = "" if r.baseline is None else f"{r.baseline:.4g} ({r.baseline_name})"
        met = {True: "yes", False: "NO", None: ""}[r.met]
        ratio = "" if r.ratio is None else f"{r.ratio:.3f}"
        table.add_row(r.name, f"{r.value:.4g} {r.unit}", base, ratio, r.bar, met)
    return table


def _save(results: list[Result]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    path = RESULTS / f"{stamp}.json"
    machine = {
        "system": platform.platform(), "python": platform.python_version(),
        "cores": os.cpu_count(),
    }  # fmt: skip
    rows = [dataclasses.asdict(r) | {"ratio": r.ratio, "met": r.met} for r in results]
    path.write_text(json.dumps({"machine": machine, "time": stamp, "results": rows}, indent=1))
    return path


if __name__ == "__main__":
    sys.exit(main())
