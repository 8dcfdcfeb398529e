"""Fields of JSON from a network server, read with care: absent ones have protobuf's defaults, and
one of the wrong kind raises WireError, as does everything else that is wrong."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from firmware.wire.errors import WireError

MAX_EVENT_BYTES = 65_536
_EUI = re.compile(r"[0-9a-f]{16}", re.ASCII)


def read_json(payload: bytes) -> dict[str, Any]:
    """One JSON object. Raises WireError."""
    if len(payload) > MAX_EVENT_BYTES:
        raise WireError(f"message of {len(payload)} bytes is over {MAX_EVENT_BYTES}")
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise WireError(f"message is not valid JSON: {error}") from error
    if not isinstance(event, dict):
        raise WireError("message is no JSON object")
    return event


def decoded(event: Mapping[str, Any], name: str) -> bytes:
    """A field of base64; empty where it is absent. Raises WireError."""
    try:
        return base64.b64decode(text(event, name), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError(f"field {name!r} is not base64: {error}") from error


def normal_eui(text: str) -> str:
    """A DevEUI in lower case. Raises WireError."""
    eui = text.lower()
    if _EUI.fullmatch(eui) is None:
        raise WireError(f"DevEUI {text[:40]!r} is not 16 hexadecimal digits")
    return eui


def table(value: Any, *path: str) -> Mapping[str, Any]:
    """The JSON object at this path, empty where there is none. Raises WireError for another kind
    of value."""
    for name in path:
        value = value.get(name, {})
        if not isinstance(value, dict):
            raise WireError(f"field {name!r} is no object")
    if not isinstance(value, dict):
        raise WireError("message is no JSON object")
    return value


def text(value: Mapping[str, Any], name: str) -> str:
    """A field that is text; empty where it is absent. Raises WireError."""
    found = value.get(name, "")
    if not isinstance(found, str):
        raise WireError(f"field {name!r} is no text")
    return found


def whole(value: Mapping[str, Any], name: str) -> int:
    """A field that is a whole number; 0 where it is absent. Raises WireError."""
    found = value.get(name, 0)
    if type(found) is not int:
        raise WireError(f"field {name!r} is no whole number")
    return found
