"""The MQTT link against real brokers: Mosquitto (MQTT 5) and the embedded one (3.1.1)."""

import contextlib
import json
import queue
import socket
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import pytest

from firmware.broker import Broker
from firmware.loop import Events
from firmware.trap.outbox import Item
from firmware.trap.uplink.link import (
    Answer,
    Down,
    LinkRefused,
    Ordered,
    Refused,
    Unheard,
    Up,
)
from firmware.trap.uplink.mqtt import MqttLink
from firmware.wire.ids import ItemId
from tests.contract.brokers import (
    PATIENCE_S,
    Authority,
    Base,
    any_broker,
    as_user,
    free_port,
    mosquitto,
    wait,
    wire_to,
)

UNIT = 7
ACL = """
pattern write trap/%u/up/#
pattern read trap/%u/down/#
pattern write trap/%u/status
user base
topic readwrite trap/#
"""
T = TypeVar("T")


def item(sighting: int = 1, body: bytes = b"\xff\xd8 a picture") -> Item:
    digest = sha256(body).hexdigest()
    return Item(ItemId(UNIT, sighting, "frame", 1), body, "image/jpeg", digest, 3, 1, 0.0)


def expect(events: Events, kind: type[T]) -> T:
    event = events.get(timeout=PATIENCE_S)
    assert isinstance(event, kind), event
    return event


@contextlib.contextmanager
def link_to(address: Broker, will_delay_s: int = 0) -> Iterator[tuple[MqttLink, Events]]:
    events: Events = queue.SimpleQueue()
    link = MqttLink(address, UNIT, events, lambda: 1_800_000_000.0, will_delay_s)
    try:
        yield link, events
    finally:
        link.close()


@pytest.fixture(params=["mosquitto", "embedded"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with any_broker(request.param, tmp_path / "broker") as broker:
        yield as_user(broker.address, "T0007")


def test_an_item_reaches_the_base_and_its_receipt_comes_back(address: Broker) -> None:
    with Base(as_user(address, "base")) as base, link_to(address) as (link, events):
        assert link.open() == 1
        assert expect(events, Up) == Up(1)
        sent = item(body=bytes(300_000))
        link.send(sent)
        assert base.got.get(timeout=PATIENCE_S) == (sent.id, sent.body)
        answer = expect(events, Answer)
        assert answer.session == 1
        assert json.loads(answer.payload)["sha256"] == sent.sha256
        properties = base.properties.get(timeout=PATIENCE_S)
        if address.protocol == "5":
            assert properties.UserProperty == [("item", str(sent.id)), ("sha256", sent.sha256)]
            assert properties.ContentType == "image/jpeg"


def test_what_is_older_than_a_day_is_marked_old(address: Broker) -> None:
    with Base(as_user(address, "base")) as base, link_to(address) as (link, events):
        link.open()
        expect(events, Up)
        link.send(replace(item(), old=True))
        properties = base.properties.get(timeout=PATIENCE_S)
        if address.protocol == "5":
            assert ("old", "1") in properties.UserProperty


def test_the_status_is_online_while_up_and_offline_after_closing(address: Broker) -> None:
    with link_to(address) as (link, events):
        link.open()
        expect(events, Up)
        with Base(as_user(address, "base")) as base:
            online = json.loads(base.status.get(timeout=PATIENCE_S))
            assert (online["unit"], online["state"]) == ("T0007", "online")
            link.close()
            assert expect(events, Down) == Down(1, "connection lost")
            state = "online"
            while state == "online":  # it may come twice, as retained and as just published
                state = json.loads(base.status.get(timeout=PATIENCE_S))["state"]
            assert state == "offline"
        with Base(as_user(address, "base")) as later:
            assert json.loads(later.status.get(timeout=PATIENCE_S))["state"] == "offline"


def test_a_command_is_heard_and_receipts_go_on(address: Broker) -> None:
    with Base(as_user(address, "base")) as base, link_to(address) as (link, events):
        link.open()
        expect(events, Up)
        for order in (b"one", b"two"):
            base.command(UNIT, order)
            ordered = expect(events, Ordered)
            assert (ordered.session, ordered.payload) == (1, order)
            link.forget(ordered)
            base.say(UNIT, b"a receipt")
            assert expect(events, Answer).payload == b"a receipt"


def test_a_command_comes_again_with_each_session_until_it_is_forgotten(tmp_path: Path) -> None:
    """amqtt does not do this: there, the base says it again when it hears of the unit."""
    with any_broker("mosquitto", tmp_path / "broker") as broker:
        address = as_user(broker.address, "T0007")
        with Base(as_user(address, "base")) as base, link_to(address) as (link, events):
            link.open()
            expect(events, Up)
            base.command(UNIT, b"an order")
            first = expect(events, Ordered)
            link.close()
            expect(events, Down)
            link.open()
            again = {type(event): event for event in (events.get(timeout=PATIENCE_S),
                                                      events.get(timeout=PATIENCE_S))}  # fmt: skip
            assert again.keys() == {Up, Ordered}
            assert again[Ordered] == replace(first, session=2)
            link.forget(first)
            base.say(UNIT, b"what was forgotten in the first session means nothing in the second")
            expect(events, Answer)
            link.forget(again[Ordered])
            base.say(UNIT, b"another")
            expect(events, Answer)
            link.close()
            expect(events, Down)
            link.open()
            expect(events, Up)
            base.say(UNIT, b"last")
            assert expect(events, Answer).payload == b"last", "and no command before it"


def test_a_unit_that_is_muted_says_until_when(address: Broker) -> None:
    with Base(as_user(address, "base")) as base, link_to(address) as (link, events):
        link.open()
        expect(events, Up)
        assert json.loads(base.status.get(timeout=PATIENCE_S))["state"] == "online"
        link.close(until_s=1_800_003_600.0)
        asleep = json.loads(base.status.get(timeout=PATIENCE_S))
        assert (asleep["state"], asleep["until_s"]) == ("sleeping", 1_800_003_600.0)


def test_the_broker_says_offline_for_a_unit_that_vanishes(address: Broker) -> None:
    with (
        Base(as_user(address, "base")) as base,
        wire_to(address) as wire,
        link_to(replace(address, port=wire.port)) as (link, events),
    ):
        wire.cut_after_bytes = 100_000
        link.open()
        expect(events, Up)
        assert json.loads(base.status.get(timeout=PATIENCE_S))["state"] == "online"
        link.send(item(body=bytes(200_000)))
        assert expect(events, Down).session == 1
        assert json.loads(base.status.get(timeout=PATIENCE_S))["state"] == "offline"
        assert base.got.empty()
        wire.cut_after_bytes = None
        assert link.open() == 2
        assert expect(events, Up) == Up(2)
        link.send(item(body=bytes(200_000)))
        assert base.got.get(timeout=PATIENCE_S)[1] == bytes(200_000)


def test_opening_again_ends_the_session_before(address: Broker) -> None:
    with link_to(address) as (link, events):
        link.open()
        expect(events, Up)
        link.open()
        seen = {events.get(timeout=PATIENCE_S) for _ in range(2)}
        assert {type(event) for event in seen} == {Up, Down}
        assert Up(2) in seen


def test_no_broker_gives_down_and_says_why() -> None:
    with link_to(Broker(host="127.0.0.1", port=free_port())) as (link, events):
        link.open()
        down = expect(events, Down)
        assert "refused" in down.reason and not down.denied


def test_a_server_that_never_answers_blocks_neither_opening_nor_closing() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        link_to(Broker(host="127.0.0.1", port=silent.getsockname()[1])) as (link, events),
    ):
        link.open()
        with pytest.raises(queue.Empty):
            events.get(timeout=0.1)
        link.close()
        assert expect(events, Down).session == 1


def test_something_else_on_the_port_gives_down() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        link_to(Broker(host="127.0.0.1", port=server.getsockname()[1])) as (link, events),
    ):
        link.open()
        other, _ = server.accept()
        with other:
            with contextlib.suppress(OSError):  # the link may have hung up already
                other.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 20)
                other.shutdown(socket.SHUT_WR)
            assert expect(events, Down).session == 1


def test_a_key_file_that_is_missing_gives_down_and_names_the_trouble(tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    broker = Broker(host="127.0.0.1", port=1, ca_file=absent, cert_file=absent, key_file=absent)
    with link_to(broker) as (link, events):
        link.open()
        down = expect(events, Down)
        assert down.denied and "cannot set up" in down.reason


def test_a_password_file_that_is_no_text_gives_down_and_names_the_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xff\xfe\x00")
    broker = Broker(host="127.0.0.1", port=1, username="T0007", password_file=secret)
    with link_to(broker) as (link, events):
        link.open()
        down = expect(events, Down)
        assert down.denied and str(secret) in down.reason


def test_a_host_that_is_no_name_gives_down_and_says_so() -> None:
    with link_to(Broker(host="base..example")) as (link, events):
        link.open()
        assert "label" in expect(events, Down).reason


def test_receipts_wait_at_the_broker_while_the_unit_is_away(tmp_path: Path) -> None:
    with (
        any_broker("mosquitto", tmp_path) as broker,
        Base(as_user(broker.address, "base")) as base,
        link_to(broker.address) as (link, events),
    ):
        link.open()
        expect(events, Up)
        link.close()
        expect(events, Down)
        base.say(UNIT, b"while you were away")
        link.open()
        said = [events.get(timeout=PATIENCE_S) for _ in range(2)]
        assert Answer(2, b"while you were away") in said and Up(2) in said


def test_an_item_that_no_base_has_subscribed_to_is_known_to_be_unheard(tmp_path: Path) -> None:
    with any_broker("mosquitto", tmp_path) as broker, link_to(broker.address) as (link, events):
        link.open()
        expect(events, Up)
        token = link.send(item())
        assert expect(events, Unheard) == Unheard(1, token)


def test_a_broker_that_crashes_gives_down_and_after_its_restart_a_new_session(
    tmp_path: Path,
) -> None:
    with any_broker("mosquitto", tmp_path) as broker, link_to(broker.address) as (link, events):
        link.open()
        expect(events, Up)
        broker.kill()
        expect(events, Down)
        broker.start(wait)
        link.open()
        assert expect(events, Up) == Up(2)


def test_a_denied_publish_is_refused_and_never_taken_for_delivered(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text(ACL.replace("trap/%u/up/#", "trap/%u/up/sighting/#"))
    with (
        mosquitto(tmp_path / "broker", "allow_anonymous true", f"acl_file {acl}") as broker,
        link_to(as_user(broker.address, "T0007")) as (link, events),
    ):
        link.open()
        expect(events, Up)
        token = link.send(item())
        assert expect(events, Refused) == Refused(1, token, "Not authorized")


def test_a_unit_that_may_not_log_in_is_denied(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path, "allow_anonymous false") as broker,
        link_to(broker.address) as (link, events),
    ):
        link.open()
        down = expect(events, Down)
        assert down.denied and "Not authorized" in down.reason


def test_an_item_over_the_brokers_limit_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 20000") as broker,
        link_to(broker.address) as (link, events),
    ):
        link.open()
        expect(events, Up)
        with pytest.raises(LinkRefused, match="more than the broker's limit of 20000"):
            link.send(item(body=bytes(30_000)))
        link.send(item(body=bytes(10_000)))


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[Broker, Authority]]:
    authority = Authority(tmp_path / "pki")
    cert_file, key_file = authority.issue("localhost")
    acl = tmp_path / "acl"
    acl.write_text(ACL)
    lines = (
        f"cafile {authority.ca_file}",
        f"certfile {cert_file}",
        f"keyfile {key_file}",
        "require_certificate true",
        "use_identity_as_username true",
        f"acl_file {acl}",
    )
    with mosquitto(tmp_path / "broker", *lines, encrypted=True) as broker:
        yield broker.address, authority


def test_with_certificates_a_unit_delivers_as_itself_and_as_nobody_else(
    tls: tuple[Broker, Authority],
) -> None:
    address, authority = tls
    with (
        Base(authority.client(address, "base")) as base,
        link_to(authority.client(address, "T0007")) as (link, events),
    ):
        link.open()
        expect(events, Up)
        link.send(item())
        expect(events, Answer)
        assert base.got.get(timeout=PATIENCE_S)[0] == item().id
    with link_to(authority.client(address, "T0008")) as (link, events):  # and means to be T0007
        link.open()
        expect(events, Up)  # the broker grants any subscription and filters what it delivers
        token = link.send(item())
        refused = {expect(events, Refused).token for _ in range(2)}
        assert token in refused  # the other one is its status, on T0007's topic


# paho drops the socket of a failed handshake instead of closing it.
@pytest.mark.filterwarnings("ignore:.*<ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_of_another_authority_is_turned_away_on_either_side(
    tls: tuple[Broker, Authority], tmp_path: Path
) -> None:
    address, authority = tls
    stranger = Authority(tmp_path / "stranger", "somebody else")
    forged = replace(stranger.client(address, "T0007"), ca_file=authority.ca_file)
    for wrong in (forged, replace(authority.client(address, "T0007"), ca_file=stranger.ca_file)):
        with link_to(wrong) as (link, events):
            link.open()
            expect(events, Down)
