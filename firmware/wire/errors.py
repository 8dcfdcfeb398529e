"""What a wire parser raises: WireError, and its child Damaged."""


class WireError(ValueError):
    """Bytes or text from outside that are not what the wire specification allows."""


class Damaged(WireError):
    """Bytes that are not the ones whose hash they carry: changed on the way, so worth repeating."""
