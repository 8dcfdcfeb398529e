"""The uplink as a process of its own: `python -m tests.trap.uplink.uplink_worker CONFIG`."""

import logging
import sys
import time
from pathlib import Path

from firmware.config import load
from firmware.trap.settings import TrapSettings
from firmware.trap.uplink.daemon import run

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    run(load(Path(sys.argv[1]), TrapSettings), time.time)  # noqa: TID251
