"""Pictures over LoRa: goodput against loss, the erasure code's overhead, and its speed.

The unit's Transfer and the gateway's Assembly, with real packets, over a link that loses frames in
both directions. Goodput is the file's bytes over the airtime of *all* frames of both directions:
manifest, symbols, polls, answers. What it is held against is a sender that needs nothing but full
frames: the payload bytes of one (frame less packet overhead and symbol head) over its airtime,
times (1 - loss), which no code can beat in the long run. Held against every byte of the frame, its
13 of overhead too, a ratio is 0.948 of what is shown; the rows `at its least` say so.

What comes out: on one link, without a repair symbol on a guess, the code is as good as selective
repeat with bitmaps and no better, whose answers are longer and whose fragments are not any that
happen to arrive; it beats the parity code where frames are lost, and stop-and-wait everywhere.
"""

import math
import random
import time
from collections.abc import Iterator

from bench import Result
from bench.lora_baselines import Send, selective_repeat, stop_and_wait, ts004
from bench.lora_link import UNIT, Link
from firmware.base.gateway.assembly import Assembly, Down, Publish
from firmware.sim.channel_loss import LossKind
from firmware.trap.uplink.lora.policy import symbol_size
from firmware.trap.uplink.lora.transfer import Transfer
from firmware.wire.airtime import Modulation, airtime_s
from firmware.wire.objects import (
    CODE_RLC,
    SYMBOL_HEAD_BYTES,
    Done,
    Entry,
    Manifest,
    ManifestWanted,
    Need,
    Symbol,
    digest_of,
    pack_manifest,
    pack_symbol,
    unpack_receipts,
)
from firmware.wire.packet import MANIFEST, SYMBOL, overhead_bytes
from firmware.wire.picture import unpack_picture
from firmware.wire.records import Receipt
from firmware.wire.regions import RU864
from firmware.wire.rlc import MOST_SYMBOLS, Decoder, Encoder
from firmware.wire.topics import parse_up_topic

OBJECT_BYTES = 4096
OBJECTS = 300
LOSSES = (0.1, 0.2, 0.3, 0.4)
SHOWN_LOSS = 0.3
IDEAL = "payload/airtime x (1-p)"
KINDS: tuple[LossKind, ...] = ("independent", "bursty")
OTHERS: dict[str, Send] = {
    "stop-and-wait": stop_and_wait,
    "selective repeat": selective_repeat,
    "TS004 parity code": ts004,
}


def run() -> list[Result]:
    """Goodput at SF7 and SF9, then the code alone."""
    goodputs = [row for factor in (7, 9) for row in _goodputs(Modulation(factor))]
    return [*goodputs, *_extra_symbols(), *_speed()]


def _goodputs(modulation: Modulation) -> Iterator[Result]:
    frame_bytes = RU864.p2p_payload_bytes(modulation)
    full_bytes_per_s = frame_bytes / airtime_s(modulation, frame_bytes)
    head_bytes = overhead_bytes(SYMBOL) + SYMBOL_HEAD_BYTES
    payload_bytes_per_s = full_bytes_per_s * (1 - head_bytes / frame_bytes)
    name = f"LoRa SF{modulation.spreading_factor}"
    for kind in KINDS:
        least = (math.inf, 0.0, 0.0, 0.0)
        for loss in (0.0, *LOSSES):
            ours = _goodput(Ours(), modulation, frame_bytes, loss, kind)
            whole = full_bytes_per_s * (1 - loss)
            least = min(least, (ours / whole, ours, whole, loss))
            if loss or kind == KINDS[0]:
                label = f"{name}, {kind} loss {loss:.1f}" if loss else f"{name}, no loss"
                ideal = payload_bytes_per_s * (1 - loss)
                yield Result(f"{label}: goodput", ours, "B/s", ">= 0.9", ideal, IDEAL)
            for other, send in OTHERS.items():
                if loss == SHOWN_LOSS:
                    theirs = _goodput(send, modulation, frame_bytes, loss, kind)
                    yield Result(f"{label}: against {other}", ours, "B/s", "", theirs, other)
        _, ours, whole, loss = least
        label = f"{name}, {kind}, at its least, loss {loss:.1f}"
        yield Result(label, ours, "B/s", "", whole, "every byte/airtime x (1-p)")


def _goodput(
    send: Send, modulation: Modulation, frame_bytes: int, loss: float, kind: LossKind
) -> float:
    """Bytes a second of airtime, over many objects one after the other; the same frames are lost
    whoever sends."""
    link = Link(modulation, frame_bytes, loss, kind, f"{modulation} {loss} {kind}")
    rng = random.Random(1)
    for _ in range(OBJECTS):
        send(link, rng.randbytes(OBJECT_BYTES))
    return OBJECTS * OBJECT_BYTES / link.spent_s


class Ours:
    """A unit that sends one picture after the other, and its gateway."""

    def __init__(self) -> None:
        self._assembly = Assembly()
        self._number = 0
        self._published = b""

    def __call__(self, link: Link, data: bytes) -> None:
        """Send the picture; returns when the unit is told that the base has it."""
        self._number += 1
        size = symbol_size(len(data), link.payload_bytes(SYMBOL) - SYMBOL_HEAD_BYTES, MOST_SYMBOLS)
        assert size is not None
        encoder = Encoder(data, size, digest_of(data))
        manifest = Manifest(
            self._number, self._number, 1, "image/avif", len(data), size, CODE_RLC, digest_of(data)
        )
        transfer: Transfer | None = Transfer.begin(encoder.source_count)
        while transfer is not None:
            transfer = self._next(link, manifest, encoder, transfer)
        assert self._published == data

    def _next(
        self, link: Link, manifest: Manifest, encoder: Encoder, transfer: Transfer
    ) -> Transfer | None:
        frame = transfer.frame()
        if frame is None:
            return transfer.unanswered()
        if frame.manifest:
            answers = self._exchange(link, MANIFEST, pack_manifest(manifest))
        else:
            body = b"" if frame.index is None else encoder.symbol(frame.index)
            symbol = Symbol(manifest.object, frame.index or 0, frame.poll, body)
            answers = self._exchange(link, SYMBOL, pack_symbol(symbol))
        transfer = transfer.sent()
        for answer in answers:
            match answer:
                case Done():
                    return None
                case Need(count=count):
                    transfer = transfer.need(count)
                case ManifestWanted(held=held):
                    transfer = transfer.manifest_wanted(held)
                case _:
                    raise AssertionError(f"the gateway answered {answer}")
        return transfer

    def _exchange(self, link: Link, port: int, payload: bytes) -> tuple[Entry, ...]:
        """One frame up, and what comes down for it."""
        heard = link.up(port, payload)
        todo = [] if heard is None else list(self._assembly.heard(UNIT, port, heard, link.spent_s))
        for out in todo:
            match out:
                case Publish(topic, message):
                    picture = unpack_picture(message)
                    self._published = picture.body
                    receipt = Receipt(str(parse_up_topic(topic)), picture.sha256, "stored")
                    todo += self._assembly.receipt(receipt, link.spent_s)
                case Down(_, _, receipts):
                    told = link.down(receipts)
                    return () if told is None else unpack_receipts(told)
        return ()


def _extra_symbols() -> Iterator[Result]:
    """Received symbols beyond K until the object is known, 30 % lost."""
    for count in (19, 36, 86):
        extra, trials = 0, 1000
        for trial in range(trials):
            rng = random.Random(f"{count} {trial}")
            salt = rng.randbytes(16)
            encoder, decoder = Encoder(bytes(count), 1, salt), Decoder(count, 1, salt)
            index = received = 0
            while decoder.missing:
                if rng.random() >= 0.3:
                    decoder.add(index, encoder.symbol(index))
                    received += 1
                index += 1
            extra += received - count
        name = f"erasure code, K={count}, 30 % loss: extra symbols, mean of {trials}"
        yield Result(name, extra / trials, "", "<= 0.05")


def _speed() -> Iterator[Result]:
    """Time for each symbol of a 4 KiB object in symbols of 115 bytes."""
    data, size, salt = random.Random(1).randbytes(OBJECT_BYTES), 115, bytes(16)
    encoder = Encoder(data, size, salt)
    repair = range(encoder.source_count, encoder.source_count + 2000)
    start_s = time.perf_counter()
    for index in repair:
        encoder.symbol(index)
    encode_s = (time.perf_counter() - start_s) / len(repair)
    yield Result("erasure code, K=36 x 115 B: encode a repair symbol", encode_s * 1e6, "us")
    rng, rounds = random.Random(2), 50
    symbols = [(index, encoder.symbol(index)) for index in range(2 * encoder.source_count)]
    arrived = [[s for s in symbols if rng.random() >= 0.3] for _ in range(rounds)]
    start_s = time.perf_counter()
    for received in arrived:
        decoder = Decoder(OBJECT_BYTES, size, salt)
        assert any(decoder.add(*symbol) for symbol in received)
        assert decoder.data() == data
    decode_s = (time.perf_counter() - start_s) / rounds / encoder.source_count
    yield Result("erasure code, K=36 x 115 B, 30 % loss: decode, a symbol", decode_s * 1e6, "us")
