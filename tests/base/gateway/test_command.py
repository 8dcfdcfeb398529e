"""`rosette base gateway`: how it starts, and how it refuses to."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.base.gateway.daemon import main
from firmware.base.gateway.settings import GatewaySettings
from firmware.base.gateway.state import DATABASE
from firmware.cli import main as rosette
from firmware.config import load
from tests.base.gateway.test_peers import write_key


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[mqtt]\nhost = "localhost"\n[lora]\nport = "/dev/none"\nregion = "RU864"\n'
        f'[p2p]\ndata_dir = "{tmp_path / "data"}"\nkeys_dir = "{tmp_path / "keys"}"\n'
    )
    return file


def test_the_state_is_made_once_and_by_request_alone(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(config, GatewaySettings)
    write_key(tmp_path / "keys", 7)
    assert main(settings) == 1
    assert "--new" in caplog.text
    assert main(settings, new=True) == 0
    assert (tmp_path / "data" / DATABASE).exists()
    caplog.clear()
    assert main(settings, new=True) == 1
    assert "there already" in caplog.text


def test_a_key_that_others_may_read_keeps_it_from_starting(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(config, GatewaySettings)
    write_key(tmp_path / "keys", 7, mode=0o644)
    assert main(settings, new=True) == 0
    assert main(settings) == 1
    assert "chmod 600" in caplog.text


def test_its_config_is_checked_as_a_gateway_s(config: Path) -> None:
    good = CliRunner().invoke(rosette, ["config", "check", str(config)])
    assert (good.exit_code, "good (gateway)" in good.output) == (0, True)
    config.write_text(config.read_text().replace("RU864", "XX999"))
    bad = CliRunner().invoke(rosette, ["config", "check", str(config)])
    assert bad.exit_code == 2
    assert "lora.region" in bad.output
