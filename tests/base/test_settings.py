import re
from pathlib import Path

import pytest

from firmware.base.settings import BaseSettings, ReceiverSettings
from firmware.config import ConfigError, describe, load

SAMPLE = Path(__file__).parents[2] / "deploy" / "base.toml"
KEYS = [key for key, _ in describe(BaseSettings)]


def uncommented(text: str) -> str:
    """The sample with every key given: a key's comment has no space after the #."""
    return re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)


def test_the_sample_is_a_good_config() -> None:
    settings = load(SAMPLE, BaseSettings)
    assert settings.receiver == ReceiverSettings()
    assert settings.mqtt.encrypted


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_in_the_sample_below_a_comment(key: str) -> None:
    section, name = key.split(".")
    block = SAMPLE.read_text().split(f"[{section}]")[1].split("\n[")[0]
    assert re.search(rf"^# .+\n(#?[a-z_]+ = .+\n)*#?{name} = ", block, re.MULTILINE)


def test_the_values_that_the_sample_shows_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text(uncommented(SAMPLE.read_text()))
    assert load(tmp_path / "all.toml", BaseSettings).receiver == ReceiverSettings()


def test_limits_that_contradict_each_other_are_reported_with_what_to_do(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(
        '[mqtt]\nhost = "h"\n[store]\ndata_dir = "d"\n'
        "[receiver]\nmax_item_mb = 20\nmax_packet_mb = 16\n"
    )
    with pytest.raises(ConfigError, match="max_packet_mb must be above max_item_mb"):
        load(bad, BaseSettings)
    bad.write_text('[mqtt]\nhost = "h"\n[store]\n[receiver]\nsession_days = 1\ncleint_id = "x"\n')
    with pytest.raises(ConfigError) as caught:
        load(bad, BaseSettings)
    assert {problem.path for problem in caught.value.problems} == {
        "store.data_dir", "receiver.session_days", "receiver.cleint_id",
    }  # fmt: skip


def test_the_broker_takes_no_message_that_the_receiver_would_not_hear() -> None:
    broker = (SAMPLE.parent / "mosquitto.conf").read_text()
    assert f"\nmax_packet_size {ReceiverSettings().max_packet_mb * 10**6}\n" in broker
