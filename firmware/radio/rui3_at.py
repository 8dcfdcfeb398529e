"""AT commands and events of a module that speaks RUI3 (RAK3172, RAK4630): its grammar, no more.

    AT+<command>              -> [AT+<command>=<value>] then OK or AT_<SOMETHING>
    +EVT:<event>              unasked, at any time, also between a command and its OK
    RAKwireless ... Current Work Mode: ...     it has restarted, and forgot what it was doing

Source: RAK's AT command manual (rakwireless-docs, RUI3/Serial-Operating-Modes, 639989a6). Tolerant
where firmware versions differ: case, blanks and underscores in events, echoed commands, numbers in
brackets behind an event, an extra length field in a received frame.
"""

import re
from collections import deque

from firmware.radio.at_line import SerialLines, tellable
from firmware.radio.port import Downlink, Heard, RadioBusy, RadioError

BAUD = 115200
MOST_BYTES = 250  # 500 hex digits; the manual's other figure, 256 bytes, contradicts itself
P2P, LORAWAN = 0, 1
PATIENCE_S = 2.0  # a command is answered in milliseconds; AT+NWM restarts first
WAKE_TRIES = 8  # each a quarter of the patience
_MOST_EVENTS = 256  # an interrupted daemon must not fill the memory
_BANNER = re.compile(r"current work mode|rakwireless", re.IGNORECASE)
_STARTED = re.compile(r"current work mode", re.IGNORECASE)  # its last line
_EVENT = re.compile(r"\+EVT:\s*(.*)", re.IGNORECASE)
_REFUSAL = re.compile(r"AT_[A-Z_]+")
_MODE = re.compile(r"NWM[=:]\s*([0-2])$", re.IGNORECASE)
_HEARD = re.compile(
    r"RXP2P\s*[:,]\s*(?:RSSI\s*)?(-?\d{1,4})\s*[:,]\s*(?:SNR\s*)?(-?\d{1,3})\s*"
    r"(?::\s*\d{1,3}\s*)?:\s*([0-9A-F]{2,1000})",
    re.IGNORECASE,
)
_DOWNLINK = re.compile(
    r"RX_?[0-9A-C]+:-?\d{1,4}:-?\d{1,3}:(?:UNI|MULTI)CAST:(\d{1,3}):([0-9A-F]{2,1000})",
    re.IGNORECASE,
)


class Refused(RadioError):
    """The module said no, `answer` being AT_PARAM_ERROR or its like."""

    def __init__(self, command: str, answer: str) -> None:
        super().__init__(f"the modem answers {answer} to {tellable(command)}")
        self.answer = answer


class Restarted(RadioError):
    """The module started anew while something was under way."""


def parse_heard(event: str) -> Heard | None:
    """The frame of a +EVT:RXP2P event, if it is one and whole."""
    match = _HEARD.fullmatch(event)
    if match is None or len(match[3]) % 2:
        return None
    return Heard(bytes.fromhex(match[3]), float(match[1]), float(match[2]))


def parse_downlink(event: str) -> Downlink | None:
    """The payload of a +EVT:RX_1 event, if it is one and whole."""
    match = _DOWNLINK.fullmatch(event)
    if match is None or len(match[2]) % 2:
        return None
    return Downlink(int(match[1]), bytes.fromhex(match[2]))


def plain(event: str) -> str:
    """An event's name without what differs between versions: `JOIN FAILED` is `JOINFAILED`."""
    return re.sub(r"\(.*\)|[\s_]", "", event).upper()


class Rui3At:
    """Commands in, answers and events out. `events` holds what came unasked, oldest first."""

    def __init__(self, lines: SerialLines, patience_s: float = PATIENCE_S) -> None:
        self._lines, self._patience_s = lines, patience_s
        self.events: deque[str] = deque(maxlen=_MOST_EVENTS)

    def command(self, command: str) -> list[str]:
        """What it said before its OK. Raises Refused (RadioBusy for AT_BUSY_ERROR), Restarted, and
        RadioError when it says nothing."""
        self._catch_up()
        self._lines.write(command)
        said: list[str] = []
        for line in self._lines.within(self._patience_s):
            if self._is_event(line):
                continue
            if line.upper() == "OK":
                return said
            if _BANNER.search(line):
                raise Restarted(f"the modem restarted during {tellable(command)}")
            if _REFUSAL.fullmatch(line):
                if line == "AT_BUSY_ERROR":
                    raise RadioBusy(f"the modem answers {line} to {tellable(command)}")
                raise Refused(command, line)
            said.append(line)
        raise RadioError(
            f"{self._lines.path}: no answer to {tellable(command)} in {self._patience_s:g} s"
        )

    def start(self, command: str) -> list[str]:
        """A command that an event will end. The events of before, which may be the late end of one
        that was given up."""
        self.command(command)
        earlier = list(self.events)
        self.events.clear()
        return earlier

    def event(self, until_s: float, *, interruptible: bool = False) -> str | None:
        """The next event, None when the time is over or it was interrupted. Raises Restarted."""
        while not self.events:
            line = self._lines.read(until_s, interruptible=interruptible)
            if line is None:
                return None
            if not self._is_event(line) and _BANNER.search(line):
                raise Restarted("the modem restarted")
        return self.events.popleft()

    def wake(self, mode: int) -> None:
        """Whatever it was doing: it answers, our commands and its answers are in step, and it is
        in this mode. Raises RadioError."""
        found = self._answering()
        if found == mode:
            return
        self._lines.write(f"AT+NWM={mode}")
        for line in self._lines.within(self._patience_s):
            if _STARTED.search(line):
                break
        if self._answering() != mode:
            raise RadioError(f"{self._lines.path}: the modem stays in mode {found}, not {mode}")

    def _answering(self) -> int:
        """Its mode. This question names itself in its answer, so that no older answer passes for
        it; where it was asked twice, a second answer is waited for and dropped."""
        for attempt in range(WAKE_TRIES):
            self._lines.write("\r\nAT+NWM=?")  # the first end is for what it was told half before
            mode = self._mode(self._patience_s / 4)
            if mode is not None:
                for line in self._lines.within(self._patience_s / 8 if attempt else 0.0):
                    self._is_event(line)
                return mode
        raise RadioError(
            f"{self._lines.path}: no modem answers here; is it an RUI3 one, at this baud rate?"
        )

    def _mode(self, timeout_s: float) -> int | None:
        mode = None
        for line in self._lines.within(timeout_s):
            if self._is_event(line):
                continue
            if (match := _MODE.search(line)) is not None:
                mode = int(match[1])
            elif line.upper() == "OK" and mode is not None:
                return mode
            elif _STARTED.search(line):
                return None  # it started anew and has lost the question
        return None

    def _catch_up(self) -> None:
        """Reads what was said until now, so that an old OK does not answer a new command."""
        for line in self._lines.within(0.0):
            if not self._is_event(line) and _BANNER.search(line):
                raise Restarted("the modem restarted")

    def _is_event(self, line: str) -> bool:
        match = _EVENT.search(line)
        if match is not None:
            self.events.append(match[1].strip())
        return match is not None
