"""AT commands and answers of a Wio-E5 (LoRa-E5) module: its grammar, no more.

    AT+<NAME>[=...]     -> +<NAME>: <text>, one line or several; +<NAME>: ERROR(-n)
    +TEST: LEN:2, RSSI:-30, SNR:10 then +TEST: RX "AABB"       a frame, in receive mode, unasked
    +MSGHEX: PORT: 15; RX: "48656C"                            a downlink, during an uplink

Sources: Seeed's LoRa-E5 AT command specification by way of CampusIoT's tutorial and of public
drivers; the RHF76-052 manual, of the same firmware. Every answer names its command, so an old one
is not taken for a new one. In receive mode a plain `AT` is not answered: `AT+TEST=STOP` goes first.
The module says nothing when it restarts; it is then in another mode and refuses with ERROR(-12).
"""

import re
from collections import deque
from collections.abc import Callable

from firmware.radio.at_line import SerialLines, tellable
from firmware.radio.port import Downlink, Heard, RadioBusy, RadioError

BAUD = 9600
MOST_BYTES = 222  # what test mode can carry is documented nowhere; this much LoRaWAN carries
PATIENCE_S = 3.0
NOT_IN_THIS_MODE = -12
WAKE_TRIES = 8  # each a quarter of the patience
_MOST_KEPT = 256
_ANSWER = re.compile(r"\+([A-Z]{2,8}):\s*(.*)", re.IGNORECASE)
_ERROR = re.compile(r"ERROR\((-?\d{1,3})\)", re.IGNORECASE)
_BUSY = re.compile(r"modem is busy|No band in|No free channel", re.IGNORECASE)
_SIGNAL = re.compile(
    r"LEN:\s*(\d{1,3}),\s*RSSI:\s*(-?\d{1,4}),\s*SNR:\s*(-?\d{1,3})", re.IGNORECASE
)
_FRAME = re.compile(r'RX\s*"([0-9A-F]{2,1000})"', re.IGNORECASE)
_DOWNLINK = re.compile(r'PORT:\s*(\d{1,3});\s*RX:\s*"([0-9A-F]{2,1000})"', re.IGNORECASE)


class Refused(RadioError):
    """The module said no; `code` says why (-1 bad parameter, -12 not in this mode)."""

    def __init__(self, command: str, answer: str, code: int) -> None:
        super().__init__(f"the modem answers {answer} to {tellable(command)}")
        self.code = code


class FrameParser:
    """Frames out of the pairs of lines that announce and carry them."""

    def __init__(self) -> None:
        self._signal: tuple[int, float, float] | None = None

    def feed(self, text: str) -> tuple[bool, Heard | None]:
        """Whether the text is one of such a pair, and the frame, once both were there and the
        length is as announced."""
        if (signal := _SIGNAL.fullmatch(text)) is not None:
            self._signal = int(signal[1]), float(signal[2]), float(signal[3])
            return True, None
        frame = _FRAME.fullmatch(text)
        if frame is None:
            return False, None
        announced, self._signal = self._signal, None
        if announced is None or len(frame[1]) != 2 * announced[0]:
            return True, None
        return True, Heard(bytes.fromhex(frame[1]), announced[1], announced[2])


def parse_downlink(text: str) -> Downlink | None:
    """The downlink in an answer to MSGHEX or CMSGHEX, if it is one and whole."""
    match = _DOWNLINK.fullmatch(text)
    if match is None or len(match[2]) % 2:
        return None
    return Downlink(int(match[1]), bytes.fromhex(match[2]))


class WioE5At:
    """Commands in, answers out. `heard` holds the frames that came, oldest first."""

    def __init__(self, lines: SerialLines, patience_s: float = PATIENCE_S) -> None:
        self._lines, self._patience_s = lines, patience_s
        self._frames = FrameParser()
        self.heard: deque[Heard] = deque(maxlen=_MOST_KEPT)

    def ask(
        self,
        command: str,
        last: Callable[[str], bool] = lambda text: True,
        timeout_s: float = 0.0,
    ) -> list[str]:
        """The command's answers without their names, up to the one that is `last`. Raises Refused,
        RadioBusy, and RadioError when the last one does not come within patience and timeout."""
        name = re.split("[=?]", command.removeprefix("AT+"))[0].upper()
        self._catch_up()
        self._lines.write(command)
        said: list[str] = []
        for line in self._lines.within(self._patience_s + timeout_s):
            answered, text = self._taken(line)
            if answered is None:
                continue
            if (error := _ERROR.fullmatch(text)) is not None:
                raise Refused(command, text, int(error[1]))
            if answered != name:
                continue
            if _BUSY.search(text):
                raise RadioBusy(f"the modem answers {text} to {tellable(command)}")
            said.append(text)
            if last(text):
                return said
        what = f"only {tellable(said[-1])}" if said else "no answer"
        raise RadioError(f"{self._lines.path}: {what} to {tellable(command)}")

    def listen(self, until_s: float) -> bool:
        """Reads until a frame is there: whether one is. Ends early when interrupted."""
        while not self.heard:
            line = self._lines.read(until_s, interruptible=True)
            if line is None:
                return False
            self._taken(line)
        return True

    def wake(self) -> None:
        """Whatever it was doing: it answers, and has stopped receiving. Raises RadioError."""
        for attempt in range(WAKE_TRIES):
            self._lines.write("AT+TEST=STOP")  # refused in other modes, which does no harm
            self._lines.write("AT")
            for line in self._lines.within(self._patience_s / 4):
                if self._taken(line) == ("AT", "OK"):
                    for late in self._lines.within(self._patience_s / 8 if attempt else 0.0):
                        self._taken(late)
                    return
        raise RadioError(
            f"{self._lines.path}: no modem answers here; is it a Wio-E5, at this baud rate?"
        )

    def _catch_up(self) -> None:
        for line in self._lines.within(0.0):
            self._taken(line)

    def _taken(self, line: str) -> tuple[str | None, str]:
        """An answer's name and text; frames are kept, and they and noise have no name."""
        match = _ANSWER.search(line)
        if match is None:
            return None, line
        name, text = match[1].upper(), match[2].strip()
        if name == "TEST":
            is_frame, heard = self._frames.feed(text)
            if heard is not None:
                self.heard.append(heard)
            if is_frame:
                return None, text
        return name, text
