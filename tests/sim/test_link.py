import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from firmware.sim.link import LossyLink


@contextmanager
def echo_server() -> Iterator[int]:
    """Sends back what it gets, on as many connections as come; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    workers: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            workers.append(threading.Thread(target=serve, args=(connection,)))
            workers[-1].start()

    acceptor = threading.Thread(target=listen)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for worker in workers:
            worker.join()


def receive(sock: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (data := sock.recv(65536)):
        received += data
    return received


def test_without_loss_every_byte_arrives_in_order() -> None:
    data = np.random.default_rng(1).bytes(700_000)
    with (
        echo_server() as port,
        LossyLink("127.0.0.1", port, 0, np.random.default_rng(1)) as link,
        socket.create_connection((link.host, link.port), timeout=5) as sock,
    ):
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        assert receive(sock, len(data)) == data
        sender.join()
    assert link.counts.forwarded_bytes == 2 * len(data)
    assert (link.counts.connections, link.counts.cuts) == (1, 0)


def test_a_peer_that_finishes_sending_still_gets_its_answer_and_the_end() -> None:
    with (
        echo_server() as port,
        LossyLink("127.0.0.1", port, 0, np.random.default_rng(1)) as link,
        socket.create_connection((link.host, link.port), timeout=5) as sock,
    ):
        sock.sendall(b"last words")
        sock.shutdown(socket.SHUT_WR)
        assert receive(sock, 1000) == b"last words"


def test_a_lossy_link_cuts_in_mid_message_and_counts_it() -> None:
    rng = np.random.default_rng(4)
    broken = 0
    with (
        echo_server() as port,
        LossyLink("127.0.0.1", port, 0.5, rng, silence_s=0.01) as link,
    ):
        for _ in range(12):
            with socket.create_connection((link.host, link.port), timeout=5) as sock:
                try:
                    sock.sendall(b"x" * 1000)
                    broken += receive(sock, 1000) != b"x" * 1000
                except ConnectionError:
                    broken += 1
        counts = link.counts
    assert 0 < broken == counts.cuts
    assert counts.silences > 0
    assert counts.connections == 12


def test_a_silent_link_goes_on_where_it_stopped() -> None:
    class AlwaysSilentOnce:
        """Of the Generator's methods the one that the link uses: first a silence, then no fault."""

        def __init__(self) -> None:
            self.fates = [0.0]

        def random(self) -> float:
            return self.fates.pop() if self.fates else 1.0

    rng: np.random.Generator = AlwaysSilentOnce()  # type: ignore[assignment]
    with (
        echo_server() as port,
        LossyLink("127.0.0.1", port, 0.5, rng, silence_s=0.05) as link,
        socket.create_connection((link.host, link.port), timeout=5) as sock,
    ):
        sock.sendall(b"still here")
        assert receive(sock, 10) == b"still here"
        assert link.counts.silences == 1


def test_a_refusing_link_is_an_absent_broker_until_it_accepts_again() -> None:
    with echo_server() as port, LossyLink("127.0.0.1", port, 0, np.random.default_rng(1)) as link:
        with socket.create_connection((link.host, link.port), timeout=5) as old:
            old.sendall(b"hello")
            assert receive(old, 5) == b"hello"
            link.refuse()
            with pytest.raises(ConnectionResetError):
                old.recv(10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((link.host, link.port), timeout=5)
        link.accept()
        with socket.create_connection((link.host, link.port), timeout=5) as new:
            new.sendall(b"again")
            assert receive(new, 5) == b"again"


def test_an_absent_target_closes_the_connection_and_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        LossyLink("127.0.0.1", port, 0, np.random.default_rng(1)) as link,
        socket.create_connection((link.host, link.port), timeout=5) as sock,
    ):
        assert sock.recv(10) == b""
        assert link.counts.refused == 1


def test_latency_delays_both_ways() -> None:
    with (
        echo_server() as port,
        LossyLink("127.0.0.1", port, 0, np.random.default_rng(1), latency_s=0.03) as link,
        socket.create_connection((link.host, link.port), timeout=5) as sock,
    ):
        start_s = time.monotonic()
        sock.sendall(b"ping")
        receive(sock, 4)
        assert time.monotonic() - start_s >= 0.06


def test_no_thread_and_no_socket_is_left_behind() -> None:
    before = threading.active_count()
    with echo_server() as port:
        with LossyLink("127.0.0.1", port, 0, np.random.default_rng(1)) as link:
            sock = socket.create_connection((link.host, link.port), timeout=5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((link.host, link.port), timeout=5)
        sock.close()
    assert threading.active_count() == before


def test_a_loss_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        LossyLink("127.0.0.1", 1883, 1.5, np.random.default_rng(1))
