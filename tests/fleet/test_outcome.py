"""What is counted, what is printed, and what is drawn."""

import io
import math
import sys
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from firmware.fleet import plot
from firmware.fleet.outcome import NEVER, Event, Outcome, percentile
from firmware.fleet.plot import NoPlot, save_plot
from firmware.fleet.report import by_factor, summary
from firmware.fleet.scenario import Scenario, Site
from firmware.radio.port import Tuning
from firmware.wire.airtime import Modulation


def site(unit: int, factor: int) -> Site:
    return Site(unit, (100.0 * unit, 50.0), Tuning(868_900_000, Modulation(factor), 14))


def outcome() -> Outcome:
    events = [
        Event(1, 0.5, True, 20.0, True, 60.0),
        Event(1, 1.5, True, 30.0, True, NEVER),
        Event(2, 9.0, False, NEVER, False, NEVER),
        Event(2, NEVER, False, NEVER, False, NEVER),
    ]
    return Outcome(
        [site(1, 7), site(2, 12)], 2.0, events, Counter({1: 40.0, 2: 4.0}), 3.0, 99, [],
        Counter(collision=5),
    )  # fmt: skip


def test_what_did_not_arrive_is_in_the_ratio_and_not_in_the_latency() -> None:
    whole = outcome()
    assert whole.delivery == 0.75 and whole.alerts_s == [0.5, 1.5, 9.0]
    assert whole.previews == 1.0 and whole.refinements == 0.5
    assert whole.airtime_per_day_s == 11.0


def test_a_factor_without_pictures_has_no_picture_ratio() -> None:
    slow = outcome().of_factor(12)
    assert len(slow.events) == 2 and slow.delivery == 0.5
    assert math.isnan(slow.previews) and math.isnan(slow.refinements)
    assert slow.airtime_per_day_s == 2.0


def test_blocks_add_up() -> None:
    whole = Outcome()
    for _ in range(3):
        whole.add(outcome())
    assert (whole.days, len(whole.events), whole.frames) == (6.0, 12, 297)
    assert whole.airtime_s == {1: 120.0, 2: 12.0} and whole.losses["collision"] == 15
    assert whole.delivery == 0.75 and whole.airtime_per_day_s == 11.0


@pytest.mark.parametrize(("percent", "expected"), [(50, 2.0), (95, 4.0), (1, 1.0), (100, 4.0)])
def test_a_percentile_is_a_value_that_occurred(percent: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == expected


def test_without_values_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 95))


def test_the_table_has_a_row_for_each_factor_and_one_for_all() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(by_factor(outcome()))
    text = console.export_text()
    assert "75.00 %" in text and "50.00 %" in text
    assert [line.split()[0] for line in text.splitlines() if line.strip()][-3:] == [
        "7",
        "12",
        "all",
    ]


def test_the_summary_says_what_was_against_the_law_and_what_was_assumed() -> None:
    broken = outcome()
    broken.violations.append("unit-1 sent 40.000 s within the hour from 0.000 s")
    text = "\n".join(summary(Scenario(units=2), broken))
    assert "1 violations in 99 frames" in text and "unit-1 sent 40" in text
    assert "0.7500 (3 of 4 alerts)" in text and "5 collision" in text
    assert "estimate" in text and "7 channels of RU864" in text


def test_the_plot_is_saved_as_its_ending_says(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    save_plot(Scenario(units=2), outcome(), tmp_path / "fleet.svg")
    assert (tmp_path / "fleet.svg").read_text().startswith("<?xml")


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(NoPlot, match=r"rosette\[simulate\].*--no-plot"):
        plot.check_plot(Path("fleet.png"))
