"""`rosette base export`, as people type it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import firmware.cli.export
from firmware.cli import main
from tests.base.export.exported import NOW_S, fill


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(firmware.cli.export, "now_s", lambda: NOW_S)
    fill(tmp_path / "b")
    file = tmp_path / "base.toml"
    file.write_text(
        f'[mqtt]\nhost = "localhost"\n[store]\ndata_dir = "{tmp_path / "b"}"\n'
        '[survey]\nproject = "Land of the Leopard"\n'
    )
    return file


def rosette(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["base", "export", "--config", str(config), *words])


def test_public_is_the_default_and_has_no_pictures_unless_asked(
    config: Path, tmp_path: Path
) -> None:
    done = rosette(config, "--format", "camtrap-dp", "--out", str(tmp_path / "one"))
    assert done.exit_code == 0, done.output
    assert "and 0 pictures" in done.output and "(public)" in done.output
    package = json.loads((tmp_path / "one/datapackage.json").read_text())
    assert package["title"] == "Land of the Leopard"
    more = rosette(config, "--format", "csv", "--media", "--out", str(tmp_path / "two"))
    assert "and 3 pictures" in more.output
    again = rosette(config, "--format", "csv", "--out", str(tmp_path / "two"))
    assert again.exit_code == 1 and "not empty" in again.output


def test_partner_without_a_recipient_is_one_clear_line(config: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    done = rosette(config, "--format", "csv", "--profile", "partner", "--out", out)
    assert done.exit_code == 1 and "recipient" in done.output
    named = rosette(
        config, "--format", "csv", "--profile", "partner", "--recipient", "WWF", "--out", out
    )
    assert named.exit_code == 0, named.output
