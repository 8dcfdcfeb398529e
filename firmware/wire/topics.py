"""MQTT topics: who writes where.

    trap/<unit>/up/sighting|health|summary/<sighting>     JSON record     unit -> base
    trap/<unit>/up/answer/<number of the command>         JSON record     unit -> base
    trap/<unit>/up/frame|preview/<sighting>/<index>       picture         unit -> base
    trap/<unit>/status                                    retained JSON   unit, or its Last Will
    trap/<unit>/down/receipt                              JSON            base -> unit
    trap/<unit>/down/command                              JSON            base -> unit

Commands are not retained, and their expiry is in the record, which also LoRa carries.
The item id is always in the topic, so that MQTT 3.1.1, which has no user properties, carries it
too. Rights go by topic: a unit writes only its own `up` and `status`, reads only its own `down`.
"""

from firmware.wire.errors import WireError
from firmware.wire.ids import KINDS, MAX_INDEX, MAX_SIGHTING, ItemId, format_unit, parse_unit

ALL_UP = "trap/+/up/#"
ALL_STATUS = "trap/+/status"
ALL_COMMANDS = "trap/+/down/command"
PICTURES = ("frame", "preview")


def up_topic(item: ItemId) -> str:
    """Where a unit publishes this item."""
    topic = f"trap/{format_unit(item.unit)}/up/{item.kind}/{item.sighting}"
    return f"{topic}/{item.index}" if item.kind in PICTURES else topic


def parse_up_topic(topic: str) -> ItemId:
    """The item that an `up` topic names. Raises WireError."""
    match topic.split("/"):
        case ["trap", unit, "up", kind, sighting]:
            index, picture = "0", False
        case ["trap", unit, "up", kind, sighting, index]:
            picture = True
        case _:
            raise WireError(f"topic {topic[:80]!r} is not trap/<unit>/up/<kind>/<sighting>[/<n>]")
    known = next((k for k in KINDS if k == kind), None)
    if known is None or (known in PICTURES) is not picture:
        raise WireError(f"topic {topic[:80]!r} has no known item kind with that many levels")
    return ItemId(
        parse_unit(unit), _number(sighting, MAX_SIGHTING), known, _number(index, MAX_INDEX)
    )


def status_topic(unit: int) -> str:
    """The retained topic that says whether a unit is awake."""
    return f"trap/{format_unit(unit)}/status"


def parse_status_topic(topic: str) -> int:
    """The unit whose status topic this is. Raises WireError."""
    match topic.split("/"):
        case ["trap", unit, "status"]:
            return parse_unit(unit)
    raise WireError(f"topic {topic[:80]!r} is not trap/<unit>/status")


def receipt_topic(unit: int) -> str:
    """Where the base answers a unit."""
    return f"trap/{format_unit(unit)}/down/receipt"


def command_topic(unit: int) -> str:
    """Where the base tells a unit what to do."""
    return f"trap/{format_unit(unit)}/down/command"


def parse_command_topic(topic: str) -> int:
    """The unit that a command's topic names. Raises WireError."""
    match topic.split("/"):
        case ["trap", unit, "down", "command"]:
            return parse_unit(unit)
    raise WireError(f"topic {topic[:80]!r} is not trap/<unit>/down/command")


def _number(text: str, most: int) -> int:
    canonical = text.isascii() and text.isdigit() and len(text) <= 10 and str(int(text)) == text
    if not canonical or int(text) > most:
        raise WireError(f"number {text[:20]!r} in a topic is not within 0..{most}")
    return int(text)
