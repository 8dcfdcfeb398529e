"""Enters frame after frame into a state file until it is killed; prints each that it may send."""

import sys
import time
from pathlib import Path

from firmware.trap.uplink.lora.account import Account
from firmware.trap.uplink.lora.state import StateFile

AIRTIME_S = 0.001


def main() -> None:
    state = StateFile(Path(sys.argv[1]), 36.0, doubtful=False)
    account = Account(state, state.load(), time.monotonic)
    (job,) = state.load().jobs
    while True:
        sending = job.objects[0]
        moved = sending.transfer.sent().need(9)
        job = job.with_object(0, type(sending)(sending.manifest, sending.data, moved))
        account.enter(AIRTIME_S, (job, 0))
        print(moved.next_index, f"{account.at_s():.6f}", flush=True)  # noqa: T201 - the frame


if __name__ == "__main__":
    main()
