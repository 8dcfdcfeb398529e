"""Durable ingest at the base beside a bare loop, over the same broker in the same run.

The broker (Mosquitto, nothing on disk) first queues 150 KB frames for two absent clients; then
each is timed while it empties its queue. The bare loop receives by paho and fsyncs each frame to
one file. Ours is the whole receiver: validation, pictures by content, database, receipts, with its
log written to a file. Rounds alternate; the median ratio counts.
"""

import io
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
from PIL import Image

from bench import Result
from firmware import loop
from firmware.base import mqtt
from firmware.base.receiver import Receiver, session
from firmware.base.settings import ReceiverSettings
from firmware.base.store import Arrival, Kept, Store
from firmware.broker import Broker, make_client
from firmware.demo.broker import find_mosquitto
from firmware.wire.ids import ItemId
from firmware.wire.picture import HEAD_BYTES, pack_picture
from firmware.wire.topics import ALL_STATUS, ALL_UP, up_topic

FRAMES = 400
FRAME_BYTES = 150_000
ROUNDS = 3
SETTINGS = ReceiverSettings()
SESSION = session(SETTINGS)


def run() -> list[Result]:
    """Frames per second, ours and bare. Empty without Mosquitto: the embedded broker is slower
    than either."""
    binary = find_mosquitto()
    if binary is None:
        return []
    rates = []
    with tempfile.TemporaryDirectory(dir=".") as folder, broker(binary, Path(folder)) as address:
        for number in range(ROUNDS):
            rates.append(one_round(Path(folder) / str(number), address, number))
            shutil.rmtree(Path(folder) / str(number))
    ours, bare = sorted(rates, key=lambda r: r[0] / r[1])[len(rates) // 2]
    return [
        Result("base ingest, 150 KB frames, durable", ours, "frames/s", ">= 0.6", bare,
               "paho + fsync per frame"),
    ]  # fmt: skip


def one_round(folder: Path, address: Broker, number: int) -> tuple[float, float]:
    """(our, bare) frames a second; who goes first alternates."""
    folder.mkdir()
    for client_id in ("bare", SETTINGS.client_id):
        make_session(address, client_id)
    publish(address, number)
    timed: list[Callable[[], float]] = [
        lambda: time_ours(folder, address),
        lambda: time_bare(folder, address),
    ]
    order = (0, 1) if number % 2 else (1, 0)
    took_s = {which: timed[which]() for which in order}
    return FRAMES / took_s[0], FRAMES / took_s[1]


def time_ours(folder: Path, address: Broker) -> float:
    """Seconds until the whole queue is stored and answered."""
    handler = logging.FileHandler(folder / "base.log")
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    events = loop.Events()
    stored = 0

    def put(arrivals: Sequence[Arrival]) -> list[Kept]:
        nonlocal stored
        outcomes = store.put(arrivals)
        stored += outcomes.count("stored")
        if stored == FRAMES:
            events.put(loop.Stop())
        return outcomes

    with Store(folder / "base") as store:
        start_s = time.perf_counter()
        receiver = Receiver(
            put, lambda: mqtt.Link(address, SESSION, events), SETTINGS, time.time, time.monotonic
        )
        loop.run(receiver.step, events)
        took_s = time.perf_counter() - start_s
        receiver.close()
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()
    return took_s


def time_bare(folder: Path, address: Broker) -> float:
    """Seconds until the whole queue is in one file, each frame fsynced before the next."""
    client = make_client(address, "bare", clean=False, manual_ack=False)
    count = 0
    with (folder / "bare").open("wb", buffering=0) as file:

        def on_message(client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
            nonlocal count
            file.write(message.payload)
            os.fsync(file)
            count += 1
            if count == FRAMES:
                client.disconnect()

        client.on_message = on_message
        start_s = time.perf_counter()
        connect(client, address)
        client.loop_forever()
        return time.perf_counter() - start_s


def make_session(address: Broker, client_id: str) -> None:
    """Let the broker know this client's subscriptions, and leave."""
    client = make_client(address, client_id, clean=False, manual_ack=False)
    client.on_connect = lambda c, *_: c.subscribe([(ALL_UP, 1), (ALL_STATUS, 1)])
    client.on_subscribe = lambda c, *_: c.disconnect()
    connect(client, address)
    client.loop_forever()


def publish(address: Broker, number: int) -> None:
    """Queue the frames of one round at the broker."""
    client = make_client(address, "T0007", clean=True, manual_ack=False)
    client.connect(address.host, address.port)
    client.loop_start()
    sent = []
    for index, body in enumerate(frames(number)):
        topic = up_topic(ItemId(7, number * FRAMES + index, "frame", 1))
        sent.append(client.publish(topic, pack_picture(body, "image/jpeg"), qos=1))
    for message in sent:
        message.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def frames(number: int) -> Iterator[bytes]:
    """JPEG files of FRAME_BYTES with their head, no two the same."""
    noise = np.random.default_rng(1).integers(0, 255, (640, 480, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=50)
    body = file.getvalue()
    size = FRAME_BYTES - HEAD_BYTES
    body = (body + bytes(size))[: size - 8]
    for index in range(FRAMES):
        yield body + (number * FRAMES + index).to_bytes(8, "big")


def connect(client: paho.Client, address: Broker) -> None:
    """Connect to the session that the broker keeps for this client."""
    client.connect(
        address.host, address.port, clean_start=False, properties=mqtt.connect_properties(SESSION)
    )


@contextmanager
def broker(binary: str, folder: Path) -> Iterator[Broker]:
    """A Mosquitto that keeps everything in memory: the disk is for those who are timed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000000\n"
        "max_inflight_messages 100\nlog_type error\n"
    )
    with subprocess.Popen([binary, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        address = Broker(host="127.0.0.1", port=port)
        for _ in range(100):
            try:
                socket.create_connection((address.host, port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        try:
            yield address
        finally:
            process.terminate()
