"""`rosette simulate fleet`: what it prints, what it saves, and how it fails."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware.cli.simulate import fleet
from firmware.fleet.outcome import Outcome


def run(*arguments: str) -> Result:
    return CliRunner().invoke(fleet, ["--jobs", "1", *arguments])


def test_it_prints_a_table_and_saves_a_plot_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    done = run("--units", "3", "--days", "0.2", "--events-per-day", "20")
    assert done.exit_code == 0, done.output
    for words in ("By spreading factor", "delivery ratio 1.0000", "law check: 0 violations",
                  "plot saved to fleet.png", "energy is an estimate"):  # fmt: skip
        assert words in done.output
    assert (tmp_path / "fleet.png").stat().st_size > 10_000


def test_without_a_plot_it_needs_no_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("firmware.fleet.plot.check_plot", lambda path: pytest.fail("looked"))
    done = run("--units", "1", "--days", "0.1", "--no-plot", "--sf", "9")
    assert done.exit_code == 0, done.output
    assert not list(tmp_path.iterdir())


def test_a_plot_that_cannot_be_saved_is_told_before_the_work(tmp_path: Path) -> None:
    for bad in (tmp_path / "missing" / "fleet.png", tmp_path / "fleet.jpgg"):
        done = run("--units", "1", "--days", "3000", "--plot", str(bad))
        assert done.exit_code == 1 and "Error: " in done.output and bad.name in done.output


@pytest.mark.parametrize(
    ("arguments", "told", "status"),
    [
        (("--region", "XX999"), "RU864", 2),
        (("--sf", "6"), "auto", 2),
        (("--radius-km", "100", "--exponent", "6"), "radius", 1),
    ],
)
def test_what_cannot_be_simulated_is_told(
    arguments: tuple[str, ...], told: str, status: int
) -> None:
    done = run("--no-plot", *arguments)
    assert done.exit_code == status and told in done.output


def test_a_broken_law_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Outcome(days=1.0, violations=["unit-1 sent too much"])
    monkeypatch.setattr("firmware.fleet.run.simulate_fleet", lambda *_: bad)
    done = run("--no-plot")
    assert done.exit_code == 1 and "unit-1 sent too much" in done.output
