"""The picture that `rosette simulate fleet` saves. Needs matplotlib, which a unit does not have."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware.fleet.outcome import NEVER, Outcome
from firmware.fleet.scenario import GATEWAY_NAME, Scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class NoPlot(Exception):
    """There can be no plot: says why, and what to do."""


def check_plot(path: Path) -> None:
    """Raises NoPlot at once, rather than after minutes of simulation."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise NoPlot(
            "a plot needs matplotlib: pip install 'rosette[simulate]', or give --no-plot"
        ) from error
    known = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in known:
        raise NoPlot(f"{path}: no plot has that ending; there are {', '.join(sorted(known))}")
    if not path.parent.is_dir():
        raise NoPlot(f"{path}: there is no folder {path.parent}: make it first")


def save_plot(scenario: Scenario, outcome: Outcome, path: Path) -> None:
    """Four panels in one file; its ending names the format. Raises NoPlot or OSError."""
    check_plot(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    figure.suptitle(
        f"{scenario.units} units, {scenario.events_per_day:g} events a day, {outcome.days:g} days,"
        f" {scenario.region}, seed {scenario.seed}"
    )
    _latency(axes[0, 0], outcome)
    _completion(axes[0, 1], outcome)
    _map(axes[1, 0], outcome)
    _airtime(axes[1, 1], outcome)
    figure.savefig(path, dpi=120)


def _latency(axes: "Axes", outcome: Outcome) -> None:
    for name in ("alert_s", "preview_s", "refinement_s"):
        values = sorted(getattr(e, name) for e in outcome.events if getattr(e, name) < NEVER)
        if values:
            shares = [(n + 1) / len(values) for n in range(len(values))]
            axes.plot(values, shares, label=name.removesuffix("_s"))
    axes.axvline(30, color="grey", linewidth=0.8, linestyle=":", label="30 s")
    axes.set(
        xscale="log", xlabel="seconds from the unit's outbox to the base",
        ylabel="share of what arrived",
    )  # fmt: skip
    axes.legend()


def _completion(axes: "Axes", outcome: Outcome) -> None:
    kinds = ("delivery", "previews", "refinements")
    for place, kind in enumerate(kinds):
        xs = [n + (place - 1) * 0.27 for n in range(len(outcome.factors))]
        ys = [getattr(outcome.of_factor(factor), kind) for factor in outcome.factors]
        axes.bar(xs, ys, 0.25, label={"delivery": "alerts"}.get(kind, kind))
    labels = [f"SF{factor}" for factor in outcome.factors]
    axes.set_xticks(range(len(labels)), labels)
    axes.set(ylabel="share that arrived", ylim=(0, 1.05))
    axes.legend(loc="lower left")


def _map(axes: "Axes", outcome: Outcome) -> None:
    for factor in outcome.factors:
        sites = outcome.of_factor(factor).sites
        xs, ys = ([site.place_m[axis] / 1000 for site in sites] for axis in (0, 1))
        axes.scatter(xs, ys, s=12, label=f"SF{factor}")
    axes.plot(0, 0, "k^", label=GATEWAY_NAME)
    axes.set(aspect="equal", xlabel="km", ylabel="km")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))


def _airtime(axes: "Axes", outcome: Outcome) -> None:
    parts: list[Any] = [outcome.of_factor(factor) for factor in outcome.factors]
    values = [[p.airtime_s[site.unit] / outcome.days for site in p.sites] for p in parts]
    axes.hist(values, bins=30, stacked=True, label=[f"SF{factor}" for factor in outcome.factors])
    axes.set(xlabel="airtime of a unit, s a day", ylabel="units")
    axes.legend()
