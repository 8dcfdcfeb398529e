"""What the gateway makes of packets, without radio and broker."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from firmware.base.gateway import pictures
from firmware.base.gateway.assembly import REPUBLISH_S, WINDOW_S, Assembly, Down, Publish
from firmware.base.gateway.orders import REPEAT_S
from firmware.wire.commands import Command, CommandResult, pack_answer, pack_command
from firmware.wire.health import Health, pack_health
from firmware.wire.health import on_air as health_on_air
from firmware.wire.objects import (
    Done,
    Manifest,
    ManifestWanted,
    Need,
    ObjectRefused,
    Rejected,
    Stored,
    pack_manifest,
)
from firmware.wire.packet import COMMAND, HEALTH, MANIFEST, PORTS
from firmware.wire.picture import pack_picture, unpack_picture
from firmware.wire.records import dump_record
from tests.base.gateway.air import Object, Station, alert, entries, receipt_for, record

BODY = bytes(range(200))


def test_an_alert_is_published_as_its_unit_s_own_json_and_answered_after_the_receipt() -> None:
    assembly = Assembly()
    (message,) = assembly.heard(7, *alert(5), 0.0)
    assert message == Publish("trap/T0007/up/sighting/5", dump_record(record(5)))
    (down,) = assembly.receipt(receipt_for(message), 0.1)
    assert (down.unit, entries([down])) == (7, (Stored(5),))


def test_a_repeated_alert_is_answered_from_memory() -> None:
    station = Station()
    assert station.hear(alert()) == (Stored(1),)
    assert station.hear(alert()) == (Stored(1),)
    assert len(station.published) == 1


def test_an_alert_that_the_base_has_not_answered_is_published_again_but_not_at_once() -> None:
    station = Station(answers=False)
    assert station.hear(alert()) == station.hear(alert()) == ()
    assert len(station.published) == 1
    station.now_s = REPUBLISH_S
    station.hear(alert())
    assert len(station.published) == 2


def test_a_receipt_that_comes_after_the_unit_listened_is_said_when_it_asks_again() -> None:
    station = Station(answers=False)
    station.hear(alert())
    late_s = WINDOW_S + 0.1
    assert station.assembly.receipt(receipt_for(station.published[0]), late_s) == []
    station.now_s = 100.0
    assert station.hear(alert()) == (Stored(1),)


def test_a_receipt_for_other_bytes_or_for_what_came_by_another_road_says_nothing() -> None:
    station = Station(answers=False)
    station.hear(alert(1))
    station.hear(alert(2), unit=7)
    other = receipt_for(Publish(station.published[0].topic, b"{}"))
    assert station.assembly.receipt(other, 0.0) == []
    unheard = receipt_for(Publish("trap/T0007/up/sighting/3", b"{}"))
    assert station.assembly.receipt(unheard, 0.0) == []


def test_a_rejected_alert_is_told_so_and_offered_again_when_it_comes_again() -> None:
    station = Station(answers=False)
    station.hear(alert())
    told = station.assembly.receipt(receipt_for(station.published[0], "rejected"), 0.0)
    assert entries(told) == (Rejected(1, 1),)
    station.hear(alert())
    assert len(station.published) == 2


def test_a_record_of_another_unit_than_its_packet_s_has_no_effect() -> None:
    station = Station()
    assert station.hear(alert(unit="T0008"), unit=7) == ()
    assert station.published == []
    assert station.assembly.refused == {"mismatch": 1}


def test_health_and_answers_are_published_as_mqtt_carries_them_and_not_acknowledged() -> None:
    station = Station()
    health = health_on_air(Health("T0007", 1_760_000_000, None, "rtc", 5, 1000, 3, 40))
    assert station.hear((HEALTH, pack_health(health))) == ()
    result = CommandResult("T0007", 1_760_000_001, 1_760_000_002, "done")
    assert station.hear((COMMAND, pack_answer(result))) == ()
    assert station.published == [
        Publish("trap/T0007/up/health/1760000000", dump_record(health)),
        Publish("trap/T0007/up/answer/1760000001", dump_record(result)),
    ]


def test_a_picture_in_order_is_published_whole_and_done_at_the_poll() -> None:
    station = Station()
    preview = Object(3, BODY, sighting=9)
    assert station.hear_all(preview.all()) == (Done(3),)
    (message,) = station.published
    assert message == Publish("trap/T0007/up/preview/9/0", pack_picture(BODY, "image/webp"))


def test_a_refinement_goes_under_index_1_as_avif() -> None:
    station = Station()
    assert station.hear_all(Object(4, BODY, index=1).all()) == (Done(4),)
    assert station.published[0].topic == "trap/T0007/up/preview/1/1"
    assert unpack_picture(station.published[0].payload).content_type == "image/avif"


def test_done_is_said_only_to_a_unit_that_listens() -> None:
    station = Station()
    preview = Object(3, BODY)
    assert station.hear_all([*preview.all()[:-1], preview.symbol(11)]) == ()
    assert len(station.published) == 1
    assert station.hear(preview.poll()) == (Done(3),)
    assert station.hear(preview.symbol(12, poll=True)) == (Done(3),)
    assert len(station.published) == 1


def test_a_poll_says_how_many_symbols_are_missing() -> None:
    station = Station()
    preview = Object(3, BODY)
    station.hear(preview.head())
    station.hear(preview.symbol(0))
    assert station.hear(preview.symbol(9, poll=True)) == (Need(3, 8),)
    assert station.hear(preview.poll()) == (Need(3, 8),)
    assert station.hear_all([preview.symbol(i) for i in range(10, 18)]) == ()
    assert station.hear(preview.poll()) == (Done(3),)


def test_symbols_before_the_manifest_are_kept_and_the_poll_says_how_many() -> None:
    station = Station()
    preview = Object(3, BODY)
    assert station.hear_all(preview.all()[1:]) == (ManifestWanted(3, 10),)
    assert station.hear(preview.head()) == ()
    assert len(station.published) == 1
    assert station.hear(preview.poll()) == (Done(3),)


def test_a_picture_whose_receipt_is_late_is_done_at_the_next_poll() -> None:
    station = Station(answers=False)
    preview = Object(3, BODY)
    assert station.hear_all(preview.all()) == ()
    assert station.assembly.receipt(receipt_for(station.published[0]), 60.0) == []
    station.now_s = 61.0
    assert station.hear(preview.symbol(10, poll=True)) == (Done(3),)


def test_a_picture_that_is_asked_for_while_the_base_is_silent_is_published_again() -> None:
    station = Station(answers=False)
    preview = Object(3, BODY)
    station.hear_all(preview.all())
    station.now_s = 30.0
    assert station.hear(preview.poll()) == ()
    assert len(station.published) == 2
    station.hear(preview.symbol(10))
    assert len(station.published) == 2


def test_a_rejected_picture_is_refused() -> None:
    station = Station(answers=False)
    station.hear_all(Object(3, BODY).all())
    told = station.assembly.receipt(receipt_for(station.published[0], "rejected"), 0.0)
    assert entries(told) == (ObjectRefused(3),)


def test_a_known_picture_under_a_new_number_needs_no_more_than_its_manifest() -> None:
    station = Station()
    station.hear_all(Object(3, BODY).all())
    again = Object(4, BODY, symbol_bytes=50)
    assert station.hear_all([again.head(), again.symbol(0, poll=True)]) == (Done(4),)
    assert len(station.published) == 1


def test_a_new_picture_under_an_old_number_is_not_taken_for_the_old_one() -> None:
    station = Station()
    station.hear_all(Object(3, BODY).all())
    new = Object(3, bytes(reversed(BODY)), sighting=2)
    assert station.hear(new.symbol(9, poll=True)) == (ManifestWanted(3, 1),)
    assert station.hear(new.poll()) == (ManifestWanted(3, 1),)
    assert station.hear_all(new.all()) == (Done(3),)
    assert unpack_picture(station.published[1].payload).body == new.body


def test_a_half_sent_picture_whose_number_is_used_again_spoils_nothing() -> None:
    station = Station()
    station.hear_all(Object(3, BODY).all()[:5])
    new = Object(3, bytes(reversed(BODY)), symbol_bytes=25, sighting=2)
    assert station.hear_all(new.all()[1:]) == (ManifestWanted(3, 8),)
    station.hear(new.head())
    assert station.hear(new.poll()) == (Done(3),)
    assert unpack_picture(station.published[0].payload).body == new.body


def test_symbols_of_two_objects_under_one_number_are_found_out_by_the_digest() -> None:
    station = Station()
    old, new = Object(3, bytes(200)), Object(3, BODY, sighting=2)
    station.hear(old.symbol(0))
    assert station.hear_all(new.all()) == (ManifestWanted(3, 0),)
    assert station.assembly.refused == {"digest": 1}
    assert station.published == []
    assert station.hear_all(new.all()) == (Done(3),)
    assert unpack_picture(station.published[0].payload).body == BODY


def test_an_object_whose_symbols_never_make_its_file_is_refused_at_last() -> None:
    station = Station()
    liar = Object(3, BODY)
    lie = Manifest(3, 1, 0, "image/webp", 200, 20, 1, bytes(16))
    packets = [(MANIFEST, pack_manifest(lie)), *liar.all()[1:]]
    said = [station.hear_all(packets) for _ in range(3)]
    assert said == [(ManifestWanted(3, 0),), (ManifestWanted(3, 0),), (ObjectRefused(3),)]
    assert station.published == []


@pytest.mark.parametrize(
    "bad",
    [
        Manifest(3, 1, 2, "image/webp", 200, 20, 1, bytes(16)),
        Manifest(3, 1, 0, "image/webp", 30_000, 240, 1, bytes(16)),
    ],
    ids=["index", "length"],
)
def test_an_absurd_manifest_is_answered_at_the_poll(bad: Manifest) -> None:
    station = Station()
    assert station.hear((MANIFEST, pack_manifest(bad))) == ()
    assert station.hear(Object(3, BODY).poll()) == (ObjectRefused(3),)
    assert station.hear_all(Object(3, BODY).all()) == (Done(3),)


@pytest.mark.parametrize(
    ("at", "value"), [(8, 9), (9, 255), (11, 0), (12, 7)], ids=["type", "symbols", "zero", "code"]
)
def test_a_manifest_that_the_wire_has_not_is_answered_at_the_poll(at: int, value: int) -> None:
    station = Station()
    bad = bytearray(Object(3, BODY).head()[1])
    bad[at] = value
    station.hear((MANIFEST, bytes(bad)))
    assert station.hear(Object(3, BODY).poll()) == (ObjectRefused(3),)
    assert station.assembly.refused == {"absurd": 1}


def test_an_object_that_nobody_goes_on_with_is_dropped_in_the_end() -> None:
    station = Station()
    preview = Object(3, BODY)
    station.hear_all(preview.all()[:-1])
    station.now_s = pictures.STALE_S + 1
    station.hear(Object(4, BODY).symbol(0))
    assert station.hear(preview.poll()) == (ManifestWanted(3, 0),)


def test_a_unit_that_counts_anew_is_forgotten() -> None:
    station = Station()
    station.hear_all(Object(3, BODY).all())
    station.assembly.forget(7)
    assert station.hear(Object(3, BODY).poll()) == (ManifestWanted(3, 0),)


def test_a_command_is_said_after_the_answer_until_the_unit_has_decided() -> None:
    assembly = Assembly()
    command = Command("T0007", 1_760_000_000, "reboot", 1_760_000_000)
    assembly.command(7, command, 1000.0)

    def said(number: int, now_s: float, unit: int = 7) -> list[Down]:
        (message,) = assembly.heard(unit, *alert(number, f"T{unit:04X}"), now_s)
        assert isinstance(message, Publish)
        return assembly.receipt(receipt_for(message), now_s)

    order = Down(7, COMMAND, pack_command(command))
    assert order not in said(1, 0.0, unit=8)
    assert said(1, 0.0)[1:] == [order]
    assembly.command(7, command, 1000.0)
    assert said(2, 1.0)[1:] == []
    assert said(3, REPEAT_S)[1:] == [order]
    result = CommandResult("T0007", command.number, 1_760_000_002, "done")
    (answer,) = assembly.heard(7, COMMAND, pack_answer(result), 50.0)
    assert isinstance(answer, Publish)
    assert assembly.receipt(receipt_for(answer), 50.1) == []
    assert said(4, 100.0)[1:] == []


def test_a_command_that_was_answered_by_another_road_is_not_said() -> None:
    assembly = Assembly()
    assembly.command(7, Command("T0007", 1_760_000_000, "unmute", 1_760_000_000), 1000.0)
    result = CommandResult("T0007", 1_760_000_000, 1_760_000_002, "done")
    answer = Publish("trap/T0007/up/answer/1760000000", dump_record(result))
    assert assembly.receipt(receipt_for(answer), 1.0) == []
    (message,) = assembly.heard(7, *alert(), 2.0)
    assert isinstance(message, Publish)
    assert len(assembly.receipt(receipt_for(message), 2.0)) == 1


def test_a_command_that_has_expired_is_not_said() -> None:
    assembly = Assembly()
    assembly.command(7, Command("T0007", 1_760_000_000, "unmute", 1_760_000_000), 10.0)
    (message,) = assembly.heard(7, *alert(), 11.0)
    assert isinstance(message, Publish)
    assert len(assembly.receipt(receipt_for(message), 11.0)) == 1


@settings(max_examples=300)
@given(st.sampled_from([*PORTS, 0, 99]), st.binary(max_size=60))
def test_no_payload_escapes_as_an_exception(port: int, payload: bytes) -> None:
    assembly = Assembly()
    for now_s in (0.0, 1.0):
        for out in assembly.heard(7, port, payload, now_s):
            assert isinstance(out, Publish | Down)


@pytest.mark.slow
def test_hundreds_of_thousands_of_hostile_payloads_have_only_the_documented_outcomes() -> None:
    rng = random.Random(1)
    assembly = Assembly()
    good = [*Object(3, BODY).all(), alert(), (HEALTH, bytes((0x12,)) + bytes(23))]
    for count in range(300_000):
        port, payload = rng.choice(good)
        mangled = bytearray(payload)
        for _ in range(rng.randrange(4)):
            mangled[rng.randrange(len(mangled))] = rng.randrange(256)
        cut = bytes(mangled[: rng.randrange(len(mangled) + 1)] if rng.random() < 0.2 else mangled)
        for out in assembly.heard(rng.randrange(1, 2000), port, cut, count / 10):
            if isinstance(out, Publish):
                assembly.receipt(receipt_for(out), count / 10)
    assert sum(assembly.refused.values()) > 10_000
    check_bounds(assembly)


def check_bounds(assembly: Assembly) -> None:
    """What is remembered is within what the modules say."""
    assert len(assembly._units) <= 1000
    assert len(assembly._offers) <= 4096
    assert assembly._offered_bytes == sum(
        len(offer.message.payload) for offer in assembly._offers.values()
    )
    for unit in assembly._units.values():
        assert len(unit._growing) <= pictures.MOST_OPEN
        assert len(unit._whole) <= pictures.MOST_WHOLE
        assert len(unit._spoilt) <= pictures.MOST_OPEN
        for growing in unit._growing.values():
            assert growing._early_bytes == sum(map(len, growing._early.values()))
            assert growing._early_bytes <= pictures.MOST_OBJECT_BYTES


class AnyOrder(RuleBasedStateMachine):
    """Units send objects over a channel that loses, doubles, delays and mixes; they follow what
    they are told. The base takes what it is given, sometimes late."""

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.assembly = Assembly()
        self.now_s = 0.0
        self.objects = {
            (unit, number): Object(
                number, self.rng.randbytes(self.rng.randrange(1, 120)),
                self.rng.choice((7, 20)), sighting=number // 2, index=number % 2,
            )
            for unit in (7, 8) for number in range(3)
        }  # fmt: skip
        self.air = [(u, packet) for (u, _), o in self.objects.items() for packet in o.all()]
        self.store: dict[str, set[bytes]] = {}
        self.receipted: set[str] = set()
        self.unanswered: list[Publish] = []
        self.done: set[tuple[int, int]] = set()

    def deliver(self, place: int) -> None:
        unit, packet = self.air[place % len(self.air)]
        self.take(unit, list(self.assembly.heard(unit, *packet, self.now_s)))

    def take(self, unit: int, out: list[Publish | Down]) -> None:
        for one in out:
            if isinstance(one, Publish):
                self.unanswered.append(one)
                self.store.setdefault(one.topic, set()).add(one.payload)
        for entry in entries(out):
            assert not isinstance(entry, ObjectRefused | Rejected)
            if isinstance(entry, Done):
                self.done.add((unit, entry.object))
                self.check_stored(unit, entry.object)

    def check_stored(self, unit: int, number: int) -> None:
        manifest = self.objects[unit, number].manifest
        topic = f"trap/T{unit:04X}/up/preview/{manifest.sighting}/{manifest.index}"
        (payload,) = self.store[topic]
        assert topic in self.receipted
        assert unpack_picture(payload).body == self.objects[unit, number].body

    @rule(place=st.integers(0, 1000), times=st.integers(1, 2))
    def arrives(self, place: int, times: int) -> None:
        for _ in range(times):
            self.deliver(place)

    @rule(unit=st.sampled_from((7, 8)), number=st.integers(0, 2), index=st.integers(0, 300))
    def repair(self, unit: int, number: int, index: int) -> None:
        self.air.append((unit, self.objects[unit, number].symbol(index, poll=bool(index % 2))))

    @rule(late=st.booleans())
    def the_base_answers(self, late: bool) -> None:
        self.now_s += 60.0 if late else 0.1
        messages, self.unanswered = self.unanswered, []
        for message in messages:
            self.receipted.add(message.topic)
            unit = int(message.topic.split("/")[1][1:], 16)
            self.take(unit, list(self.assembly.receipt(receipt_for(message), self.now_s)))

    @rule()
    def the_gateway_restarts(self) -> None:
        self.assembly = Assembly()

    @invariant()
    def memory_is_bounded_and_nothing_but_the_truth_was_published(self) -> None:
        check_bounds(self.assembly)
        assert all(len(payloads) == 1 for payloads in self.store.values())

    def teardown(self) -> None:
        """However it went: units that do as they are told get everything done."""
        if not hasattr(self, "rng"):
            return
        for (unit, number), thing in self.objects.items():
            for index in range(400):
                if (unit, number) in self.done:
                    break
                self.now_s += 3.0
                packets = [thing.head(), thing.symbol(index, poll=True)]
                self.air += [(unit, packet) for packet in packets]
                for packet in packets:
                    self.take(unit, list(self.assembly.heard(unit, *packet, self.now_s)))
                self.the_base_answers(late=False)
            assert (unit, number) in self.done
            self.check_stored(unit, number)
        assert len(self.store) == len(self.objects)


AnyOrder.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
