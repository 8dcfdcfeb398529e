"""Pictures in the making: the symbols of one unit's objects until their files are whole.

Promises that a file is given out only if it has the digest of its manifest; that what one unit can
make us keep is bounded in objects, symbols and bytes; and that an object whose bytes are known is
recognised by its symbols, so that a unit which begins to count anew never has a new picture taken
for an old one. Pure; only assembly.py uses it.

What is dropped here, for age or for room, costs airtime and nothing else: the unit asks, and sends
again what it is told to.
"""

from collections import OrderedDict

from firmware.wire.errors import WireError
from firmware.wire.objects import (
    MANIFEST_BYTES,
    Manifest,
    ManifestWanted,
    Need,
    ObjectRefused,
    Symbol,
    digest_of,
    unpack_manifest,
)
from firmware.wire.rlc import MOST_SYMBOLS, Decoder, Encoder

MOST_OBJECT_BYTES = 16_384
MOST_EARLY_SYMBOLS = MOST_SYMBOLS + 20
MOST_OPEN = 4
MOST_WHOLE = 4
MOST_SPOILT = 3
STALE_S = 86_400.0
LAST_INDEX = 1


class Whole:
    """A file that is whole, and how to tell whether a symbol is one of its."""

    def __init__(self, manifest: Manifest, body: bytes) -> None:
        self.manifest = manifest
        self.body = body
        self._encoder = Encoder(body, manifest.symbol_bytes, manifest.digest)

    def has(self, symbol: Symbol) -> bool:
        """Whether this symbol was made from this file; a bare poll always was."""
        return not symbol.data or self._encoder.symbol(symbol.index) == symbol.data


class Growing:
    """An object that is not whole yet; `manifest` is None until it comes."""

    def __init__(self) -> None:
        self.manifest: Manifest | None = None
        self.heard_s = 0.0
        self._early: dict[int, bytes] = {}
        self._early_bytes = 0
        self._decoder: Decoder | None = None

    @property
    def early(self) -> int:
        """How many symbols wait for the manifest."""
        return len(self._early)

    @property
    def missing(self) -> int:
        """How many more symbols it takes; 0 when it is whole, or nobody knows yet."""
        return 0 if self._decoder is None else self._decoder.missing

    def describe(self, manifest: Manifest) -> None:
        """Take the manifest, and the symbols that came before it."""
        self.manifest = manifest
        self._decoder = Decoder(manifest.length, manifest.symbol_bytes, manifest.digest)
        for index, data in self._early.items():
            self._feed(index, data)
        self._early, self._early_bytes = {}, 0

    def add(self, symbol: Symbol) -> None:
        """Take one symbol. One that came before, or for which there is no room, changes nothing."""
        if self._decoder is not None:
            self._feed(symbol.index, symbol.data)
        elif symbol.index not in self._early and self._has_room(symbol):
            self._early[symbol.index] = symbol.data
            self._early_bytes += len(symbol.data)

    def body(self) -> bytes | None:
        """The file, once all of it is here. What it holds has not been held against the digest."""
        return self._decoder.data() if self._decoder is not None and not self.missing else None

    def _feed(self, index: int, data: bytes) -> None:
        if self._decoder is None or self.manifest is None or not self.missing:
            return
        if len(data) == self.manifest.symbol_bytes:
            self._decoder.add(index, data)

    def _has_room(self, symbol: Symbol) -> bool:
        within = self._early_bytes + len(symbol.data) <= MOST_OBJECT_BYTES
        return within and len(self._early) < MOST_EARLY_SYMBOLS


class Pictures:
    """All objects of one unit: those that grow, and the last few that are whole."""

    def __init__(self) -> None:
        self._growing: OrderedDict[int, Growing] = OrderedDict()
        self._whole: OrderedDict[int, Whole] = OrderedDict()
        self._spoilt: OrderedDict[int, int] = OrderedDict()

    def whole(self, symbol: Symbol) -> Whole | None:
        """The file that this symbol is of, if it is whole."""
        whole = self._whole.get(symbol.object)
        if whole is None or (not symbol.data and symbol.object in self._growing):
            return None  # a bare poll is about what grows: the number is used for something new
        return whole if whole.has(symbol) else None

    def same(self, manifest: Manifest) -> Whole | None:
        """The file that this manifest speaks of, if it is whole under that number."""
        whole = self._whole.get(manifest.object)
        return whole if whole is not None and whole.manifest == manifest else None

    def describe(self, manifest: Manifest, now_s: float) -> Whole | None:
        """Take a manifest; the file, if that completes it. Raises NotTheFile."""
        growing = self._touch(manifest.object, now_s)
        if growing.manifest not in (None, manifest):
            growing = self._begin(manifest.object, now_s)
        if growing.manifest is None:
            growing.describe(manifest)
        return self._finish(manifest.object, growing)

    def add(self, symbol: Symbol, now_s: float) -> Whole | None:
        """Take a symbol; the file, if that completes it. Raises NotTheFile."""
        if not symbol.data:
            return None
        growing = self._touch(symbol.object, now_s)
        manifest = growing.manifest
        if manifest is not None and len(symbol.data) != manifest.symbol_bytes:
            growing = self._begin(symbol.object, now_s)  # the number is used for something new
        growing.add(symbol)
        return self._finish(symbol.object, growing)

    def want(self, number: int) -> Need | ManifestWanted | ObjectRefused:
        """What there is to say of an object that is not whole."""
        growing = self._growing.get(number)
        if growing is not None and growing.manifest is not None:
            return Need(number, growing.missing)
        if self._spoilt.get(number, 0) >= MOST_SPOILT:
            return ObjectRefused(number)
        return ManifestWanted(number, 0 if growing is None else growing.early)

    def refuse(self, number: int) -> None:
        """Never take this object, unless another manifest comes."""
        self._growing.pop(number, None)
        self._spoil(number, MOST_SPOILT)

    def keep(self, whole: Whole) -> None:
        """Remember a file that is whole."""
        number = whole.manifest.object
        self._growing.pop(number, None)
        self._spoilt.pop(number, None)
        self._whole[number] = whole
        self._whole.move_to_end(number)
        if len(self._whole) > MOST_WHOLE:
            self._whole.popitem(last=False)

    def _finish(self, number: int, growing: Growing) -> Whole | None:
        body = growing.body()
        if body is None or growing.manifest is None:
            return None
        del self._growing[number]
        if digest_of(body) != growing.manifest.digest:
            self._spoil(number)
            raise NotTheFile(f"object {number} is not what its manifest says")
        whole = Whole(growing.manifest, body)
        self.keep(whole)
        return whole

    def _spoil(self, number: int, times: int = 1) -> None:
        self._spoilt[number] = self._spoilt.get(number, 0) + times
        self._spoilt.move_to_end(number)
        if len(self._spoilt) > MOST_OPEN:
            self._spoilt.popitem(last=False)

    def _touch(self, number: int, now_s: float) -> Growing:
        """The growing object of this number, begun if need be; the stalest go."""
        for old in [n for n, g in self._growing.items() if now_s - g.heard_s > STALE_S]:
            del self._growing[old]
        growing = self._growing.get(number)
        if growing is None:
            return self._begin(number, now_s)
        growing.heard_s = now_s
        self._growing.move_to_end(number)
        return growing

    def _begin(self, number: int, now_s: float) -> Growing:
        growing = Growing()
        growing.heard_s = now_s
        self._growing[number] = growing
        self._growing.move_to_end(number)
        if len(self._growing) > MOST_OPEN:
            self._growing.popitem(last=False)
        return growing


class Absurd(Exception):
    """A manifest of an object that will never be taken."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"object {number}: {reason}")
        self.number = number


class NotTheFile(Exception):
    """All symbols of an object are here, and what they give is not what its manifest says: some
    were of another object of the same number. They are dropped, and the unit is asked for all of
    it again; not for ever."""


def read_manifest(payload: bytes) -> Manifest:
    """A manifest of an object that may be taken. Raises Absurd, or WireError for what is none."""
    try:
        manifest = unpack_manifest(payload)
    except WireError as error:
        if len(payload) != MANIFEST_BYTES:
            raise
        raise Absurd(int.from_bytes(payload[1:3], "big"), str(error)) from error
    if manifest.index > LAST_INDEX:
        raise Absurd(manifest.object, f"preview index {manifest.index} is over {LAST_INDEX}")
    if manifest.length > MOST_OBJECT_BYTES:
        raise Absurd(manifest.object, f"{manifest.length} bytes are over {MOST_OBJECT_BYTES}")
    return manifest
