"""`rosette trap uplink --link lora --new`: what a unit needs before it first sends."""

from pathlib import Path

from click.testing import CliRunner, Result

from firmware.cli import main
from firmware.radio.counter import Counters
from firmware.radio.key_file import read_keys


def config(folder: Path, epoch: int = 0) -> Path:
    file = folder / "trap.toml"
    file.write_text(
        f"[unit]\nid = 'T0007'\ndata_dir = '{folder}'\nepoch = {epoch}\n"
        f"[lora]\nport = '/dev/ttyUSB0'\nregion = 'RU864'\nkey_file = '{folder}/lora.key'\n"
    )
    return file


def begin(file: Path, *options: str) -> Result:
    return CliRunner().invoke(
        main, ["trap", "uplink", "--config", str(file), "--new", *(options or ("--link", "lora"))]
    )


def test_a_new_unit_gets_a_secret_and_counters_from_zero(tmp_path: Path) -> None:
    said = begin(config(tmp_path))
    assert said.exit_code == 0, said.output
    assert "T0007.key" in said.output
    assert read_keys(tmp_path / "lora.key", 7)
    counters = Counters(tmp_path / "lora.counter", 0)
    assert counters.take() == 0
    counters.close()


def test_an_epoch_does_not_begin_twice_and_the_secret_stays(tmp_path: Path) -> None:
    begin(config(tmp_path))
    secret = (tmp_path / "lora.key").read_text()
    again = begin(config(tmp_path))
    assert again.exit_code == 1
    assert "cannot start again" in again.output
    next_one = begin(config(tmp_path, epoch=1))
    assert next_one.exit_code == 0, next_one.output
    assert (tmp_path / "lora.key").read_text() == secret


def test_without_lora_there_is_nothing_to_begin(tmp_path: Path) -> None:
    assert begin(config(tmp_path), "--link", "mqtt").exit_code == 2
    file = tmp_path / "trap.toml"
    file.write_text(f"[unit]\nid = 'T0007'\ndata_dir = '{tmp_path}'\n[mqtt]\nhost = 'base'\n")
    assert begin(file).exit_code == 2
