"""Where log lines go, and their form: `2026-11-23 12:00:00,123Z LEVEL event key=value ...`.

Promises UTC and one line an event on stderr, which systemd keeps. WARNING: unexpected, nothing
lost. ERROR: something is lost, or someone must come. Event names are an interface.
"""

import logging
import sys
import time

FORMAT = "%(asctime)sZ %(levelname)s %(message)s"


def log_to_stderr(level: str) -> None:
    """Log everything from this level (`debug`, `info`, `warning`, `error`) on."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(FORMAT)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])
