"""The demo's configs, folder and readings, without its processes."""

from pathlib import Path

import pytest

from firmware.base.settings import BaseSettings
from firmware.broker import Broker
from firmware.config import load
from firmware.demo.report import read_trap
from firmware.demo.run import DemoFailed, base_config, trap_config, workspace
from firmware.trap.settings import TrapSettings

ODD = Path('/data/it\'s "here" \\ \t # für лео\x7f')
BROKER = Broker("127.0.0.1", 1883)


def test_configs_take_paths_of_any_characters(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(base_config(ODD, BROKER))
    assert load(file, BaseSettings).store.data_dir == ODD
    file.write_text(trap_config("T0001", ODD, BROKER))
    assert load(file, TrapSettings).unit.data_dir == ODD


def test_a_base_that_ended_before_it_had_tables_has_nothing(tmp_path: Path) -> None:
    for database in (tmp_path / "never.sqlite", tmp_path / "a#b?.sqlite"):
        assert read_trap("T0001", 0, [], [], [], database).stored == {}
    assert not list(tmp_path.iterdir()), "reading must not make a database"


def test_a_kept_folder_is_named_from_the_root_and_never_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with workspace(Path("kept")) as folder:
        assert folder == tmp_path / "kept"
    with pytest.raises(DemoFailed, match="name another"), workspace(Path("kept")):
        pass
