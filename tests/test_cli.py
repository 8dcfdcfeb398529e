"""The `rosette` command: exit statuses, errors that help, and what it prints."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware.cli import main
from firmware.trap.outbox import Outbox
from firmware.wire.ids import ItemId

ROOT = Path(__file__).parent.parent


def rosette(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def trap_file(tmp_path: Path) -> Path:
    file = tmp_path / "trap.toml"
    file.write_text(f"[mqtt]\nhost = 'h'\n[unit]\nid = 'T0007'\ndata_dir = '{tmp_path}'\n")
    return file


def put(tmp_path: Path, count: int) -> None:
    with Outbox(tmp_path / "outbox.sqlite", 10**8) as outbox:
        for index in range(1, count + 1):
            outbox.put(ItemId(7, 1, "frame", index), b"x" * index, "image/jpeg", 2, 1.7e9)


def test_a_bad_config_lists_every_problem_and_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "trap.toml"
    file.write_text("[mqtt]\nhost = 'h'\nport = 0\n[unit]\nid = 'X'\ncolour = 1\n")
    done = rosette("config", "check", str(file))
    assert done.exit_code == 2
    for problem in ("line 3: mqtt.port", "line 5: unit.id", "line 6: unit.colour", "data_dir"):
        assert problem in done.output


@pytest.mark.parametrize("sample", ["trap.toml", "base.toml"])
def test_the_sample_configs_are_found_good(sample: str) -> None:
    done = rosette("config", "check", str(ROOT / "deploy" / sample))
    assert done.exit_code == 0, done.output
    assert sample.removesuffix(".toml") in done.output


@pytest.mark.parametrize(
    "command", [("trap", "capture"), ("trap", "uplink"), ("base", "run"), ("outbox", "list")]
)
def test_a_missing_config_file_exits_2_and_names_it(command: tuple[str, ...]) -> None:
    done = rosette(*command, "--config", "/nowhere/rosette.toml")
    assert done.exit_code == 2
    assert "/nowhere/rosette.toml" in done.output and "No such file" in done.output


def test_bad_usage_exits_2(trap_file: Path) -> None:
    assert rosette("outbox", "explode").exit_code == 2
    assert rosette("outbox", "retry", "--config", str(trap_file)).exit_code == 2
    assert rosette("outbox", "drop", "--config", str(trap_file), "nonsense").exit_code == 2
    assert rosette("demo", "--traps", "0").exit_code == 2
    assert rosette("demo", "--seed", "-1").exit_code == 2


def test_an_outbox_that_is_not_there_yet_is_named(trap_file: Path, tmp_path: Path) -> None:
    done = rosette("outbox", "list", "--config", str(trap_file))
    assert done.exit_code == 1
    assert str(tmp_path / "outbox.sqlite") in done.output
    assert not (tmp_path / "outbox.sqlite").exists(), "looking must not make one"


def test_the_outbox_is_listed_counted_retried_and_dropped(trap_file: Path, tmp_path: Path) -> None:
    put(tmp_path, 3)
    config = ("--config", str(trap_file))
    lines = rosette("outbox", "list", *config, "--json").output.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [
        "T0007-000001-frame-1", "T0007-000001-frame-2", "T0007-000001-frame-3",
    ]  # fmt: skip
    stats = json.loads(rosette("outbox", "stats", *config).output)
    assert stats["items"]["waiting"] == 3
    assert rosette("outbox", "drop", *config, "T0007-000001-frame-2").exit_code == 0
    with Outbox(tmp_path / "outbox.sqlite", 10**8) as outbox:
        outbox.rejected(ItemId(7, 1, "frame", 3), "test")
    assert rosette("outbox", "retry", *config, "--all").exit_code == 0
    stats = json.loads(rosette("outbox", "stats", *config).output)
    assert (stats["items"]["waiting"], stats["items"]["rejected"]) == (2, 0)
    missing = rosette("outbox", "drop", *config, "T0007-000001-frame-2")
    assert missing.exit_code == 1 and "T0007-000001-frame-2" in missing.output


@pytest.fixture
def lora_file(tmp_path: Path) -> Path:
    """A unit with LoRa alone."""
    file = tmp_path / "trap.toml"
    file.write_text(
        f"[unit]\nid = 'T0007'\ndata_dir = '{tmp_path}'\n"
        f"[lora]\nport = '/dev/null'\nregion = 'RU864'\nkey_file = '{tmp_path / 'lora.key'}'\n"
    )
    return file


def test_each_link_has_a_queue_of_its_own(lora_file: Path, tmp_path: Path) -> None:
    put(tmp_path, 3)
    with Outbox(tmp_path / "outbox-lora.sqlite", 10**8) as outbox:
        outbox.put(ItemId(7, 9, "sighting"), b"x", "application/json", 0, 1.7e9)
    for options, ids in (((), 1), (("--link", "lora"), 1), (("--link", "mqtt"), 3)):
        listed = rosette("outbox", "list", "--config", str(lora_file), *options)
        assert len(listed.output.splitlines()) == ids


def test_an_mqtt_uplink_without_its_section_is_bad_usage(lora_file: Path) -> None:
    done = rosette("trap", "uplink", "--config", str(lora_file))
    assert done.exit_code == 2 and "take --link lora" in done.output


def test_a_lora_uplink_without_its_section_is_bad_usage(trap_file: Path) -> None:
    done = rosette("trap", "uplink", "--config", str(trap_file), "--link", "lora")
    assert done.exit_code == 2 and "take --link mqtt" in done.output


def test_a_lora_uplink_that_cannot_send_safely_says_why_in_one_line(
    lora_file: Path, tmp_path: Path
) -> None:
    run = ("trap", "uplink", "--config", str(lora_file), "--link", "lora")
    done = rosette(*run)
    assert done.exit_code == 1 and "lora.key" in done.output
    (tmp_path / "lora.key").write_text("00" * 16)
    (tmp_path / "lora.key").chmod(0o600)
    done = rosette(*run)
    assert done.exit_code == 1 and "lora.counter" in done.output
    assert "provision" in done.output and "Traceback" not in done.output


def test_a_units_epoch_is_begun_once(lora_file: Path, tmp_path: Path) -> None:
    begin = ("trap", "uplink", "--link", "lora", "--new", "--config")
    assert rosette(*begin, str(lora_file)).exit_code == 0
    assert (tmp_path / "lora.counter").exists()
    again = rosette(*begin, str(lora_file))
    assert again.exit_code == 1 and "epoch 0 cannot start again" in again.output
    assert rosette("trap", "uplink", "--new", "--config", str(lora_file)).exit_code == 2


def test_version_names_firmware_model_and_wire() -> None:
    done = rosette("version")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == ["firmware", "model", "wire"]


def test_trap_capture_without_a_camera_says_so_in_one_line(trap_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "firmware", "trap", "capture", "--config", str(trap_file)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "picamera2" in done.stderr and "Traceback" not in done.stderr


def test_a_daemon_does_not_import_what_only_others_need() -> None:
    program = (
        "import sys, firmware.cli, firmware.trap.uplink.daemon\n"
        "heavy = {'numpy', 'PIL', 'rich', 'gpiozero', 'ai_edge_litert'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"the uplink imports {done.stderr}"


def test_an_outbox_that_fails_in_mid_command_is_one_line(trap_file: Path, tmp_path: Path) -> None:
    put(tmp_path, 1)
    with contextlib.closing(sqlite3.connect(tmp_path / "outbox.sqlite")) as db:
        db.execute(
            "CREATE TRIGGER full BEFORE DELETE ON item BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
        db.commit()
    done = rosette("outbox", "drop", "--config", str(trap_file), "T0007-000001-frame-1")
    assert done.exit_code == 1
    assert "no room" in done.output and str(tmp_path / "outbox.sqlite") in done.output


def test_a_model_is_shown_verified_signed_and_installed(trap_file: Path, tmp_path: Path) -> None:
    from tests.trap.capture.tiny_model import write_model

    (tmp_path / "new").mkdir()
    file = str(write_model(tmp_path / "new"))
    assert "leopard" in rosette("model", "show", file).output
    key, public = str(tmp_path / "k.pem"), str(tmp_path / "k.pub")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    unsigned = rosette("model", "verify", file, "--key", public)
    assert unsigned.exit_code == 1 and "signed models only" in unsigned.output
    assert rosette("model", "sign", file, "--key", key).exit_code == 0
    assert "signed by the key" in rosette("model", "verify", file, "--key", public).output
    done = rosette("model", "install", file, "--config", str(trap_file))
    assert done.exit_code == 0, done.output
    assert "restart the capture daemon" in done.output


def test_a_bad_model_is_refused_with_the_reason(trap_file: Path, tmp_path: Path) -> None:
    from tests.trap.capture.tiny_model import write_model

    (tmp_path / "new").mkdir()
    file = str(write_model(tmp_path / "new", sha256="0" * 64))
    for command in (("verify", file), ("install", file, "--config", str(trap_file))):
        done = rosette("model", *command)
        assert done.exit_code == 1
        assert "SHA-256" in done.output
