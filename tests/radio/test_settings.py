"""What a config file may say of a modem, and which laws it may not break."""

import itertools
from pathlib import Path

import pytest

from firmware.config import ConfigError, load
from firmware.radio.key_file import KeyUnusable
from firmware.radio.open import open_lorawan, open_radio
from firmware.radio.port import RadioGone, Tuning
from firmware.radio.settings import LoraModem, LorawanDevice
from firmware.wire.airtime import Modulation
from firmware.wire.regions import REGIONS


def modem(**more: object) -> LoraModem:
    fields: dict[str, object] = {"port": Path("/dev/none"), "region": "RU864"}
    return LoraModem(**(fields | more))  # type: ignore[arg-type]


def test_a_port_and_a_region_are_enough() -> None:
    assert modem().tuning == Tuning(868_900_000, Modulation(spreading_factor=9), 14)
    assert modem().band.duty_cycle == 0.01
    assert modem().data_rate == 3


def test_the_file_is_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "lora.toml"
    file.write_text('port = "/dev/ttyUSB0"\nregion = "RU865"\nmodem = "rak"\n')
    with pytest.raises(ConfigError) as caught:
        load(file, LoraModem)
    assert {problem.path for problem in caught.value.problems} == {"region", "modem"}


def test_a_lorawan_table_is_read(tmp_path: Path) -> None:
    file = tmp_path / "lora.toml"
    file.write_text(
        'port = "/dev/ttyUSB0"\nregion = "EU868"\n[lorawan]\ndev_eui = "0102030405060708"\n'
        'app_key_file = "/etc/rosette/app.key"\n'
    )
    read = load(file, LoraModem)
    assert read.lorawan is not None and read.lorawan.join_eui == "0" * 16


def test_the_operators_duty_cycle_replaces_the_regions() -> None:
    assert modem(duty_cycle=0.1).band.duty_cycle == 0.1
    assert REGIONS["RU864"].band_of(868_900_000).duty_cycle == 0.01


def test_cn470_needs_the_low_module_and_says_so() -> None:
    with pytest.raises(ValueError, match=r'CN470\) needs the low-frequency module.*variant = "L"'):
        modem(region="CN470")
    assert modem(region="CN470", variant="L").carrier_hz == 470_300_000
    with pytest.raises(ValueError, match="high-frequency"):
        modem(variant="L")


def test_more_power_than_the_band_allows_is_refused_with_the_antenna_counted() -> None:
    with pytest.raises(ValueError, match="16 dBm that RU864 allows"):
        modem(power_dbm=15)
    assert modem(power_dbm=15, antenna_gain_dbi=1.0).power_dbm == 15
    with pytest.raises(ValueError, match="KR920"):
        modem(region="KR920", licensed=True)


@pytest.mark.parametrize(
    ("region", "wanted"), [("KR920", "listening before talking"), ("US915", "hopping")]
)
def test_point_to_point_is_refused_where_the_law_wants_what_no_modem_does(
    region: str, wanted: str
) -> None:
    legal: dict[str, object] = {"region": region, "power_dbm": 8, "spreading_factor": 8}
    with pytest.raises(ValueError, match=f"{region} wants {wanted}"):
        modem(**legal)
    assert modem(**legal, licensed=True).band.duty_cycle is None
    device = LorawanDevice("0102030405060708", Path("/key"))
    assert modem(**legal, lorawan=device).data_rate >= 0


@pytest.mark.parametrize("frequency_hz", [868_730_000, 869_150_000])
def test_a_channel_that_reaches_over_the_edge_of_its_band_is_refused(frequency_hz: int) -> None:
    with pytest.raises(ValueError, match="over the edge of its band"):
        modem(frequency_hz=frequency_hz)


def test_a_frequency_outside_the_regions_bands_is_refused() -> None:
    with pytest.raises(ValueError, match="865500000 Hz is in no band of RU864"):
        modem(frequency_hz=865_500_000)


def test_a_spreading_factor_without_time_for_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="spreading_factor 12 is too slow for US915"):
        modem(region="US915", spreading_factor=12, licensed=True)


def test_a_spreading_factor_without_a_data_rate_is_refused_on_lorawan_only() -> None:
    device = LorawanDevice("0102030405060708", Path("/key"))
    with pytest.raises(ValueError, match="US915 has no LoRaWAN data rate with spreading_factor 11"):
        modem(region="US915", spreading_factor=11, lorawan=device)
    chosen = modem(region="US915", spreading_factor=10, lorawan=device)
    assert chosen.data_rate == 0
    for region, factor in itertools.product(("RU864", "EU868"), range(7, 13)):
        chosen = modem(region=region, spreading_factor=factor, lorawan=device)
        rate = chosen.plan.data_rates[chosen.data_rate]
        assert rate is not None and rate.spreading_factor == factor


@pytest.mark.parametrize("dialect", ["rak3172", "wio-e5"])
def test_a_modem_that_is_not_there_is_gone(dialect: str, tmp_path: Path) -> None:
    key = tmp_path / "app.key"
    key.write_text("00" * 16 + "\n")
    key.chmod(0o600)
    with pytest.raises(RadioGone, match="/dev/none cannot be opened"):
        open_radio(modem(modem=dialect))
    device = load_lorawan(tmp_path, key)
    with pytest.raises(RadioGone, match="/dev/none cannot be opened"):
        open_lorawan(modem(modem=dialect, lorawan=device.lorawan))


@pytest.mark.parametrize(
    ("content", "reason"),
    [("00" * 17, "34 hex digits, not 32"), ("key", "is no key"), (None, "cannot be read")],
)
def test_an_application_key_that_is_none_is_refused(
    content: str | None, reason: str, tmp_path: Path
) -> None:
    key = tmp_path / "app.key"
    if content is not None:
        key.write_text(content)
        key.chmod(0o600)
    with pytest.raises(KeyUnusable, match=reason):
        open_lorawan(load_lorawan(tmp_path, key))


def test_lorawan_without_an_identity_is_refused() -> None:
    with pytest.raises(ValueError, match="dev_eui and app_key_file"):
        open_lorawan(modem())


def load_lorawan(folder: Path, key: Path) -> LoraModem:
    file = folder / "lora.toml"
    file.write_text(
        f'port = "/dev/none"\nregion = "EU868"\n[lorawan]\ndev_eui = "0102030405060708"\n'
        f'app_key_file = "{key}"\n'
    )
    return load(file, LoraModem)
