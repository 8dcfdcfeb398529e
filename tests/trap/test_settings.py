"""The unit's settings and their commented sample."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from firmware.config import ConfigError, describe, load
from firmware.trap.settings import DEFAULT_POLICY, Lora, TrapSettings

SAMPLE = Path(__file__).parents[2] / "deploy" / "trap.toml"
TABLES = ("policy", "classifier.thresholds")
KEYS = [key for key, _ in describe(TrapSettings) if key not in TABLES]
LEAST = '[unit]\nid = "T0001"\ndata_dir = "d"\n[mqtt]\nhost = "h"\n'
# Keys that are off by default; the sample shows an example.
OFF = (
    "username",
    "password_file",
    "lamp_pin",
    "ircut_pin",
    "model",
    "delegate",
    "trusted_key",
    "leopard = 0.",
    "baud",
    "frequency_hz",
    "duty_cycle",
)
SHOWN = r"^#(?=[a-z_]+ = |\[)"
LORA = '[lora]\nport = "/dev/ttyUSB0"\nregion = "RU864"\n'


def test_the_sample_is_a_good_config() -> None:
    settings = load(SAMPLE, TrapSettings)
    assert settings.mqtt is not None and settings.mqtt.encrypted
    assert settings.actions == DEFAULT_POLICY


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_in_the_sample_below_a_comment(key: str) -> None:
    section, name = key.rsplit(".", 1)
    block = SAMPLE.read_text().split(f"[{section}]")[1].split("\n[")[0]
    assert re.search(rf"^# .+\n(#?[a-z_]+ = .+\n)*#?{name} = ", block, re.MULTILINE)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_in_the_sample_below_a_comment(table: str) -> None:
    assert re.search(rf"^# .+\n\[{table}\]\n", SAMPLE.read_text(), re.MULTILINE)


def test_the_values_that_the_sample_shows_are_the_defaults(tmp_path: Path) -> None:
    lines = SAMPLE.read_text().splitlines()
    keys = [re.sub(SHOWN, "", line) for line in lines]
    shown = "\n".join(key for key in keys if not key.startswith(OFF))
    (tmp_path / "all.toml").write_text(shown)
    given, plain = load(tmp_path / "all.toml", TrapSettings), load(SAMPLE, TrapSettings)
    assert given.actions == plain.actions and given.policy == DEFAULT_POLICY
    for section in ("unit", "mqtt", "pir", "camera", "classifier", "archive", "outbox", "uplink",
                    "report", "commands"):  # fmt: skip
        assert getattr(given, section) == getattr(plain, section)
    lora = given.lora
    assert plain.lora is None and lora is not None and lora.lorawan is not None
    least = Lora(port=lora.port, region=lora.region, key_file=lora.key_file)
    assert replace(lora, lorawan=None) == least


def test_every_commented_key_of_the_sample_is_a_known_one(tmp_path: Path) -> None:
    text = re.sub(SHOWN, "", SAMPLE.read_text(), flags=re.MULTILINE)
    (tmp_path / "all.toml").write_text(text)
    given = load(tmp_path / "all.toml", TrapSettings)
    assert given.camera.lamp_pin == 24
    assert given.lora is not None and given.lora.frequency_hz == 868_900_000


def test_a_unit_may_have_lora_alone_but_needs_a_link(tmp_path: Path) -> None:
    file = tmp_path / "trap.toml"
    unit = LEAST.split("[mqtt]")[0]
    file.write_text(unit + LORA + 'key_file = "k"\n')
    assert load(file, TrapSettings).mqtt is None
    file.write_text(unit)
    with pytest.raises(ConfigError, match=r"needs a link: add the section \[mqtt\], \[lora\]"):
        load(file, TrapSettings)


def test_without_its_section_there_is_no_lora(tmp_path: Path) -> None:
    file = tmp_path / "trap.toml"
    file.write_text(LEAST)
    settings = load(file, TrapSettings)
    assert settings.lora is None
    assert settings.unit.lora_outbox == Path("d/outbox-lora.sqlite") != settings.unit.outbox


@pytest.mark.parametrize(
    ("mode", "says"),
    [("p2p", "mode p2p needs key_file"), ("lorawan", r"mode lorawan needs the section \[lora.lor")],
)
def test_a_lora_mode_without_what_it_needs_is_refused(tmp_path: Path, mode: str, says: str) -> None:
    file = tmp_path / "trap.toml"
    file.write_text(LEAST + LORA + f'mode = "{mode}"\n')
    with pytest.raises(ConfigError, match=says):
        load(file, TrapSettings)


def test_a_policy_goes_over_the_defaults_so_that_no_alert_is_lost_by_naming_another(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trap.toml"
    file.write_text(LEAST + '[policy]\ndeer = ["frames"]\ntiger = []\n')
    actions = load(file, TrapSettings).actions
    assert actions["leopard"] == ("alert", "frames")
    assert actions["deer"] == ("frames",) and actions["tiger"] == ()


def test_one_pin_for_two_things_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trap.toml"
    file.write_text(LEAST + "[camera]\nlamp_pin = 23\n")
    with pytest.raises(ConfigError, match=r"pir\.pin, camera\.lamp_pin and .* must differ"):
        load(file, TrapSettings)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "trap.toml"
    file.write_text(
        '[unit]\nid = "7"\n[mqtt]\nhost = "h"\n[pir]\npin = 99\n[policy]\nleopard = ["shout"]\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(file, TrapSettings)
    assert {problem.path for problem in caught.value.problems} == {
        "unit.id", "unit.data_dir", "pir.pin", "policy.leopard",
    }  # fmt: skip
