"""The one exception a wire parser raises."""


class WireError(ValueError):
    """Bytes or text from outside that are not what the wire specification allows."""
