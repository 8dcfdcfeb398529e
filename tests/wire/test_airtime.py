"""Time on air against published values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.wire.airtime import Modulation, airtime_s, payload_symbols, symbol_s

# Payload bytes -> milliseconds at SF7..SF12, 125 kHz, 4/5, preamble 8, explicit header, CRC.
TABLE_MS = {
    51: (102.656, 184.832, 328.704, 616.448, 1314.816, 2465.792),
    64: (118.016, 215.552, 390.144, 698.368, 1560.576, 2793.472),
    115: (194.816, 348.672, 615.424, 1148.928, 2461.696, 4431.872),
    128: (215.296, 379.392, 676.864, 1230.848, 2707.456, 4923.392),
    222: (348.416, 614.912, 1106.944, 2009.088, 4427.776, 8036.352),
    235: (368.896, 655.872, 1168.384, 2131.968, 4673.536, 8364.032),
}
SYMBOLS = {51: (88, 78, 68, 63, 68, 63), 115: (178, 158, 138, 128, 138, 123),
           222: (328, 288, 258, 233, 258, 233)}  # fmt: skip

modulations = st.builds(
    Modulation,
    spreading_factor=st.integers(7, 12),
    bandwidth_hz=st.sampled_from((125_000, 250_000, 500_000)),
    coding_rate=st.integers(1, 4),
    preamble_symbols=st.integers(6, 64),
    crc=st.booleans(),
    explicit_header=st.booleans(),
    low_data_rate=st.sampled_from((None, True, False)),
)


def test_the_published_vector_holds() -> None:
    without = Modulation(12, low_data_rate=False)
    assert airtime_s(without, 13) == pytest.approx(1.155072, abs=1e-9)


@pytest.mark.parametrize("size", TABLE_MS)
def test_the_published_table_holds(size: int) -> None:
    for spreading_factor, expected_ms in zip(range(7, 13), TABLE_MS[size], strict=True):
        assert airtime_s(Modulation(spreading_factor), size) * 1000 == pytest.approx(
            expected_ms, abs=1e-6
        )


@pytest.mark.parametrize("size", SYMBOLS)
def test_the_published_symbol_counts_hold(size: int) -> None:
    found = tuple(payload_symbols(Modulation(factor), size) for factor in range(7, 13))
    assert found == SYMBOLS[size]


def test_full_frames_point_to_point_take_what_the_reference_says() -> None:
    assert airtime_s(Modulation(7), 255) == pytest.approx(0.3996, abs=5e-5)
    assert airtime_s(Modulation(9), 255) == pytest.approx(1.250, abs=5e-4)
    assert airtime_s(Modulation(7, 500_000), 255) == pytest.approx(0.0999, abs=5e-5)


def test_a_slow_coding_rate_costs_what_lorasim_says() -> None:
    assert airtime_s(Modulation(12, coding_rate=4), 20) == pytest.approx(1.712128, abs=1e-9)
    assert airtime_s(Modulation(12), 20) == pytest.approx(1.318912, abs=1e-9)


def test_low_data_rate_optimisation_is_on_from_sixteen_milliseconds() -> None:
    on = {(factor, bandwidth)
          for factor in range(7, 13) for bandwidth in (125_000, 250_000, 500_000)
          if Modulation(factor, bandwidth).optimised}  # fmt: skip
    assert on == {(11, 125_000), (12, 125_000), (12, 250_000)}


@given(modulations, st.integers(0, 254))
def test_a_longer_frame_never_takes_less(modulation: Modulation, size: int) -> None:
    shorter, longer = airtime_s(modulation, size), airtime_s(modulation, size + 1)
    assert 0 < shorter <= longer


@given(modulations, st.integers(0, 255))
def test_airtime_is_a_whole_number_of_quarter_symbols(modulation: Modulation, size: int) -> None:
    quarters = airtime_s(modulation, size) / symbol_s(modulation) * 4
    assert quarters == pytest.approx(round(quarters))


@pytest.mark.parametrize(
    "wrong",
    [{"spreading_factor": 5}, {"spreading_factor": 13}, {"bandwidth_hz": 62_500},
     {"coding_rate": 0}, {"coding_rate": 5}, {"preamble_symbols": 5}],
)  # fmt: skip
def test_a_modulation_that_no_modem_has_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        Modulation(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [-1, 256])
def test_a_frame_that_no_radio_takes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=str(size)):
        airtime_s(Modulation(), size)
