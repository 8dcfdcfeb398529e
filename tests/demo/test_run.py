"""The demo's configs, folder and readings, without its processes."""

import io
from pathlib import Path

import click
import pytest
from rich.console import Console

from firmware.base.settings import BaseSettings
from firmware.broker import Broker
from firmware.cli.demo import demo
from firmware.config import load
from firmware.demo.configs import BURST_FRAMES, base_config, mqtt_section, trap_config
from firmware.demo.report import Seen, Trap, read_trap, summary
from firmware.demo.run import DemoFailed, workspace
from firmware.trap.outbox import STORED_ROWS_KEPT
from firmware.trap.settings import TrapSettings

ODD = Path('/data/it\'s "here" \\ \t # für лео\x7f')
BROKER = Broker("127.0.0.1", 1883)


def test_configs_take_paths_of_any_characters(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(base_config(ODD, BROKER))
    assert load(file, BaseSettings).store.data_dir == ODD
    file.write_text(trap_config("T0001", ODD, mqtt_section(BROKER, "T0001")))
    assert load(file, TrapSettings).unit.data_dir == ODD


def test_a_base_that_ended_before_it_had_tables_has_nothing(tmp_path: Path) -> None:
    for database in (tmp_path / "never.sqlite", tmp_path / "a#b?.sqlite"):
        assert read_trap("T0001", 0, [], [], [], database).stored == {}
    assert not list(tmp_path.iterdir()), "reading must not make a database"


def test_the_longest_demo_stays_within_what_the_outbox_remembers() -> None:
    """Else delivered items would be reported as missing."""
    (events,) = (option for option in demo.params if option.name == "events")
    assert isinstance(events.type, click.IntRange) and events.type.max
    assert events.type.max * (1 + BURST_FRAMES) <= STORED_ROWS_KEPT


def test_a_kept_folder_is_named_from_the_root_and_never_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with workspace(Path("kept")) as folder:
        assert folder == tmp_path / "kept"
    with pytest.raises(DemoFailed, match="name another"), workspace(Path("kept")):
        pass


def test_the_summary_keeps_every_figure_whole_on_80_columns() -> None:
    bursts = [Seen("T0001", n, "a", "leopard", 0.9, 3) for n in range(1200)]
    stored = {str(n): ["hash"] for n in range(4800)}
    trap = Trap("T0001", 1234, bursts, 0, [], stored, 321, [100.0, 200.0])
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(summary([trap]))
    text = console.export_text()
    assert "T0001 " in text and "duplicates" in text
    for figure in ("1234", "1200", "4800", "321", "150.00", "200.00"):
        assert f" {figure}" in text
