"""What the gateway says on the air, and when."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.base.gateway.assembly import Down
from firmware.base.gateway.complaints import Complaints
from firmware.base.gateway.duty import Duty
from firmware.base.gateway.p2p import P2p
from firmware.base.gateway.peers import KeyFolder, Packet, Peers
from firmware.base.gateway.state import State, create
from firmware.radio.port import Heard
from firmware.radio.worker import NotSent, RadioDown, RadioUp, Received, Sent
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.errors import WireError
from firmware.wire.objects import Done, Entry, Need, Stored, pack_receipts, unpack_receipts
from firmware.wire.packet import COMMAND, RECEIPT, SIGHTING, Direction, derive_keys, unseal
from tests.base.gateway.test_peers import MASTER, OTHER, up, write_key

SF9 = Modulation()
GUARD_S = 0.05
WINDOW_S = 5.0


class Rig:
    """A gateway's radio road with a radio that only notes what it is asked to send."""

    def __init__(self, tmp_path: Path, limit: float | None = None) -> None:
        for unit, master in ((7, MASTER), (8, OTHER)):
            write_key(tmp_path / "keys", unit, master)
        self.now_s = 100.0
        self.frames: list[tuple[bytes, int]] = []
        self.data_dir = tmp_path / "data"
        if not self.data_dir.exists():
            create(self.data_dir)
        self.state = State(self.data_dir)
        peers = Peers(KeyFolder(tmp_path / "keys"), self.state)
        duty = Duty(self.state, limit, lambda: self.now_s)
        self.complaints = Complaints(lambda: self.now_s)
        self.road = P2p(self, peers, duty, SF9, 250, GUARD_S, WINDOW_S, self.complaints)
        self._counters = {7: 0, 8: 0}

    def close(self) -> None:
        self.road.close()
        self.state.__exit__()

    def send(self, frame: bytes, token: int) -> None:
        self.frames.append((frame, token))

    def hear(self, unit: int = 7) -> Packet | None:
        master = MASTER if unit == 7 else OTHER
        frame = up(self._counters[unit], unit=unit, master=master)
        self._counters[unit] += 1
        return self.road.hear(Received(Heard(frame, -90, 5)), self.now_s)

    def say(self, *entries: Entry, unit: int = 7) -> None:
        self.road.say(Down(unit, RECEIPT, pack_receipts(entries)), self.now_s)

    def keep(self, after_s: float = 0.0) -> float | None:
        self.now_s += after_s
        return self.road.keep(self.now_s)

    def sent(self) -> None:
        self.road.hear(Sent(self.frames[-1][1]), self.now_s)

    def said(self, unit: int = 7) -> list[tuple[Entry, ...] | bytes]:
        """All that was handed to the radio for this unit, unsealed."""
        key = derive_keys(MASTER if unit == 7 else OTHER, unit).down
        out: list[tuple[Entry, ...] | bytes] = []
        count = 0
        for frame, _ in self.frames:
            if int.from_bytes(frame[1:3], "big") != unit:
                continue
            payload = unseal(key, Direction.DOWN, 0, count, frame)
            count += 1
            out.append(unpack_receipts(payload) if frame[0] & 0x3F == RECEIPT else payload)
        return out


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_a_packet_that_is_proved_is_given_out(rig: Rig) -> None:
    assert rig.hear() == Packet(7, SIGHTING, b"hello")


def test_what_is_forged_replayed_unknown_or_noise_is_counted_and_told_not_too_often(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    good = up(0)
    frames = [good, good, good[:-1] + b"\0", up(0, unit=9), b"\0noise"]
    taken = [rig.road.hear(Received(Heard(frame, -90, 5)), 1.0) for frame in frames]
    assert taken == [Packet(7, SIGHTING, b"hello"), None, None, None, None]
    assert rig.complaints.counts == {"replayed": 1, "forged": 1, "unknown": 1, "noise": 1}
    for _ in range(100):
        rig.road.hear(Received(Heard(b"\0noise", -90, 5)), 1.0)
    assert rig.complaints.counts["noise"] == 101
    assert len(caplog.records) == 20
    rig.now_s += 61
    rig.road.hear(Received(Heard(b"\0noise", -90, 5)), 1.0)
    assert len(caplog.records) == 21


def test_an_answer_waits_until_the_unit_has_turned_to_listening(rig: Rig) -> None:
    rig.hear()
    rig.now_s += 0.02
    rig.say(Stored(1))
    assert rig.keep() == pytest.approx(GUARD_S - 0.02)
    assert rig.frames == []
    assert rig.keep(GUARD_S - 0.02) is None
    assert rig.said() == [(Stored(1),)]


def test_all_that_a_unit_is_due_goes_in_one_packet_and_newer_words_replace_older(rig: Rig) -> None:
    rig.hear()
    rig.say(Need(3, 9))
    rig.say(Stored(1))
    rig.say(Need(3, 4))
    rig.keep(GUARD_S)
    assert rig.said() == [(Stored(1), Need(3, 4))]


def test_a_command_goes_in_a_packet_of_its_own_after_the_receipts(rig: Rig) -> None:
    rig.hear()
    rig.road.say(Down(7, COMMAND, b"order"), rig.now_s)
    rig.say(Stored(1))
    rig.keep(GUARD_S)
    assert rig.keep(1.0) is None
    rig.sent()
    rig.keep()
    assert rig.said() == [(Stored(1),), b"order"]


def test_answers_to_alerts_go_before_answers_about_pictures(rig: Rig) -> None:
    rig.hear(8)
    rig.hear(7)
    rig.say(Done(1), unit=8)
    rig.say(Stored(1), unit=7)
    rig.keep(GUARD_S)
    assert (rig.said(7), rig.said(8)) == ([(Stored(1),)], [])
    rig.sent()
    rig.keep()
    assert rig.said(8) == [(Done(1),)]


def test_an_answer_is_dropped_when_the_unit_has_stopped_listening(rig: Rig) -> None:
    rig.hear()
    rig.say(Stored(1))
    assert rig.keep(WINDOW_S) is None
    assert rig.frames == []


def test_a_busy_radio_is_tried_again_and_newer_words_are_not_overwritten(rig: Rig) -> None:
    rig.hear()
    rig.say(Need(3, 9))
    rig.keep(GUARD_S)
    rig.say(Need(3, 2), Stored(1))
    rig.road.hear(NotSent(rig.frames[-1][1], "busy", False), rig.now_s)
    wait_s = rig.keep()
    assert wait_s is not None and 0 < wait_s < 1
    rig.keep(wait_s)
    assert rig.said()[1] == (Need(3, 2), Stored(1))


def test_a_disk_that_takes_nothing_costs_silence_and_one_error(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.hear()
    rig.say(Stored(1))
    rig.state.__exit__()
    (rig.data_dir / "T0007.counter").write_text("damaged")
    assert rig.hear() is None
    for _ in range(3):
        rig.keep(GUARD_S)
    assert rig.frames == []
    assert [r.levelname for r in caplog.records].count("ERROR") == 2  # not heard, not sent


def test_no_hour_is_over_the_limit_also_after_a_restart(tmp_path: Path) -> None:
    air_s = airtime_s(SF9, 18)
    limit_s = 8.5 * air_s
    sent = []
    for _ in range(2):
        rig = Rig(tmp_path, limit=limit_s / 3600)
        rig._counters[7] = rig_counter(rig)
        for number in range(12):
            rig.hear()
            rig.say(Stored(number))
            rig.keep(GUARD_S)
            if rig.frames:
                rig.sent()
            rig.now_s += 6.0
        sent.append(len(rig.frames))
        used_s = sum(air_s for _, air_s in rig.state.ledger().entries)
        rig.close()
    assert sent == [8, 0]
    assert used_s == pytest.approx(8 * air_s)


def rig_counter(rig: Rig) -> int:
    peer = rig.state.peers().get(7)
    return 0 if peer is None else peer.window.highest + 1


def test_a_frame_that_left_late_counts_from_when_it_left(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limit=0.01)
    for _ in range(2):  # the second entry keeps what became of the first
        rig.hear()
        rig.say(Stored(1))
        rig.keep(GUARD_S)
        rig.now_s += 20.0  # the modem had to be set up first
        rig.sent()
    rig.hear()
    rig.say(Stored(1))
    rig.keep(GUARD_S)
    air_s = airtime_s(SF9, len(rig.frames[0][0]))
    first, second, _ = rig.state.ledger().entries
    assert first == pytest.approx((GUARD_S + 20.0 - air_s, air_s))
    assert second == pytest.approx((2 * GUARD_S + 40.0 - air_s, air_s))
    rig.close()


def test_a_fifth_of_the_airtime_is_kept_for_answers_to_alerts(tmp_path: Path) -> None:
    rig = Rig(tmp_path, limit=10 * airtime_s(SF9, 16) / 3600)
    for number in range(20):
        rig.hear()
        rig.say(Done(number))
        rig.keep(GUARD_S)
        if rig.frames:
            rig.sent()
        rig.now_s += WINDOW_S
    assert len(rig.frames) == 8
    rig.keep()
    rig.hear()
    rig.say(Stored(1))
    rig.keep(GUARD_S)
    assert len(rig.frames) == 9
    rig.close()


def test_a_radio_that_goes_and_comes_is_told_once_each(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for event in (RadioDown("unplugged"), RadioDown("unplugged"), RadioUp(), RadioDown("again")):
        rig.road.hear(event, 1.0)
    assert [r.levelname for r in caplog.records] == ["ERROR", "INFO", "ERROR"]


def test_what_is_handed_over_for_a_unit_opens_only_with_its_key(rig: Rig) -> None:
    rig.hear()
    rig.say(Stored(1))
    rig.keep(GUARD_S)
    frame = rig.frames[0][0]
    with pytest.raises(WireError):
        unseal(derive_keys(OTHER, 7).down, Direction.DOWN, 0, 0, frame)
