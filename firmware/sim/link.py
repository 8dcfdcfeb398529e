"""A bad link to a broker: a loopback TCP proxy that breaks connections in mid-message.

Promises: of every chunk it forwards (at most 64 KiB), a share `loss` ends badly. Half of the chunk
is passed on and then the connection is reset; or, for one such chunk in four, the connection goes
silent for `silence_s` before it goes on, as a modem does in a dead spot. What TCP delivered before
the break stays delivered; nothing is altered or reordered. `refuse` makes it an absent broker.
Leaves no thread and no socket behind. Does not model bandwidth.
"""

import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

CHUNK_BYTES = 65536
_MOST_QUEUED_BYTES = 1 << 20  # per direction; beyond, the sender is held back as by a full window
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST, as a vanished network looks


@dataclass(frozen=True)
class Counts:
    """What the link has done so far."""

    connections: int = 0
    refused: int = 0
    cuts: int = 0
    silences: int = 0
    forwarded_bytes: int = 0


@dataclass(eq=False)
class _End:
    """One side of a connection: what waits to be sent to it, and when it may be sent."""

    sock: socket.socket
    peer: "_End | None" = None
    waiting: list[tuple[float, bytes]] = field(default_factory=list)
    silent_until_s: float = 0.0
    finished: bool = False  # its peer has sent everything it will send

    @property
    def queued_bytes(self) -> int:
        return sum(len(data) for _, data in self.waiting)


class LossyLink:
    """A proxy on `host:port` (a free loopback port) in front of the target, as a `with` block."""

    def __init__(
        self, target_host: str, target_port: int, loss: float, rng: np.random.Generator,
        latency_s: float = 0.0, silence_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        if not 0 <= loss < 1:
            raise ValueError(f"loss {loss} is outside 0..1")
        self._target = (target_host, target_port)
        self._loss, self._rng = loss, rng
        self._latency_s, self._silence_s, self._monotonic = latency_s, silence_s, monotonic
        self._counts = Counts()
        self._selector = selectors.DefaultSelector()
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]]
        self._orders = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._listener: socket.socket | None = None
        self._ends: set[_End] = set()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="lossy-link", daemon=True)
        self.host, self.port = "127.0.0.1", 0
        self._listen()

    @property
    def counts(self) -> Counts:
        return self._counts

    def refuse(self) -> None:
        """Cuts all connections and stops listening; returns when that has happened."""
        self._order(self._close_all)

    def accept(self) -> None:
        """Listens again on the same port."""
        self._order(self._listen)

    def set_loss(self, loss: float) -> None:
        """From now on this share of chunks ends badly."""

        def change() -> None:
            self._loss = loss

        self._order(change)

    def __enter__(self) -> "LossyLink":
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._order(self._finish)
        self._thread.join()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _order(self, what: Callable[[], None]) -> None:
        """Runs `what` between two turns of the link's own thread."""
        if not self._thread.is_alive():
            what()
            return
        done = threading.Event()
        self._orders.put((what, done))
        self._wake.send(b"!")
        done.wait()

    def _run(self) -> None:
        while self._running:
            for key, events in self._selector.select(self._pause_s()):
                if key.fileobj is self._woken:
                    self._obey()
                elif key.fileobj is self._listener:
                    self._welcome()
                elif key.data in self._ends:
                    self._serve(key.data, events)
            self._watch()

    def _pause_s(self) -> float | None:
        """Seconds until something that is held back may go on; None when nothing is."""
        now_s = self._monotonic()
        due = [end.silent_until_s for end in self._ends]
        due += [end.waiting[0][0] for end in self._ends if end.waiting]
        return min((due_s - now_s for due_s in due if due_s > now_s), default=None)

    def _obey(self) -> None:
        self._woken.recv(4096)
        while not self._orders.empty():
            what, done = self._orders.get()
            what()
            done.set()

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=16)
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            self._selector.register(self._listener, selectors.EVENT_READ, None)

    def _welcome(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        try:
            target = socket.create_connection(self._target, timeout=2)
        except OSError:
            self._counts = replace(self._counts, refused=self._counts.refused + 1)
            client.close()
            return
        near, far = _End(client), _End(target)
        near.peer, far.peer = far, near
        for end in (near, far):
            end.sock.setblocking(False)
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends.add(end)
        self._counts = replace(self._counts, connections=self._counts.connections + 1)

    def _watch(self) -> None:
        """Asks the selector for exactly what each end can do now."""
        now_s = self._monotonic()
        for end in list(self._ends):
            assert end.peer is not None
            wanted = 0
            silent = max(end.silent_until_s, end.peer.silent_until_s) > now_s
            if not silent and not end.peer.finished and end.peer.queued_bytes < _MOST_QUEUED_BYTES:
                wanted |= selectors.EVENT_READ
            if not silent and end.waiting and end.waiting[0][0] <= now_s:
                wanted |= selectors.EVENT_WRITE
            self._register(end, wanted)

    def _register(self, end: _End, wanted: int) -> None:
        known = end.sock in self._selector.get_map()
        if wanted and known:
            self._selector.modify(end.sock, wanted, end)
        elif wanted:
            self._selector.register(end.sock, wanted, end)
        elif known:
            self._selector.unregister(end.sock)

    def _serve(self, end: _End, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._send(end)
            if events & selectors.EVENT_READ:
                self._receive(end)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(end)

    def _receive(self, end: _End) -> None:
        assert end.peer is not None
        data = end.sock.recv(CHUNK_BYTES)
        if data:
            end.peer.waiting.append((self._monotonic() + self._latency_s, data))
        else:
            end.peer.finished = True
            self._pass_on_the_end(end.peer)

    def _pass_on_the_end(self, end: _End) -> None:
        """Tells an end that its peer has finished, once everything before has been sent."""
        assert end.peer is not None
        if end.finished and not end.waiting:
            end.sock.shutdown(socket.SHUT_WR)
            if end.peer.finished and not end.peer.waiting:
                self._drop(end, reset=False)

    def _send(self, end: _End) -> None:
        due_s, data = end.waiting.pop(0)
        fate = self._rng.random() if self._loss else 1.0
        if fate < self._loss / 4:
            end.silent_until_s = self._monotonic() + self._silence_s
            self._counts = replace(self._counts, silences=self._counts.silences + 1)
            end.waiting.insert(0, (end.silent_until_s, data))
            return
        if fate < self._loss:
            end.sock.send(data[: len(data) // 2])
            self._counts = replace(self._counts, cuts=self._counts.cuts + 1)
            self._drop(end)
            return
        sent = end.sock.send(data)
        self._counts = replace(self._counts, forwarded_bytes=self._counts.forwarded_bytes + sent)
        if sent < len(data):
            end.waiting.insert(0, (due_s, data[sent:]))
        self._pass_on_the_end(end)

    def _drop(self, end: _End, reset: bool = True) -> None:
        """Closes both sides of a connection."""
        for side in (end, end.peer):
            if side is not None and side in self._ends:
                self._register(side, 0)
                if reset:
                    side.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                side.sock.close()
                self._ends.discard(side)

    def _close_all(self) -> None:
        for end in list(self._ends):
            self._drop(end)
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _finish(self) -> None:
        self._close_all()
        self._running = False
