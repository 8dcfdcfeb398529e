"""`rosette base dashboard`: the pages on a port. The process's entry; picks the clock."""

import logging
import signal
import time

import uvicorn

from firmware.base.dashboard.accounts import AccountError
from firmware.base.dashboard.app import make_app
from firmware.base.dashboard.books import Books
from firmware.base.dashboard.passwords import Passwords
from firmware.base.settings import BaseSettings
from firmware.base.store import StoreError

log = logging.getLogger(__name__)


def main(settings: BaseSettings) -> int:
    """Serve until a signal; returns the exit status."""
    try:
        with Books(settings) as books:  # what is wrong with them is one line, before a port is open
            nobody = not books.accounts.everyone()
    except (StoreError, AccountError) as error:
        log.error("cannot_start reason=%s", error)  # noqa: TRY400
        return 1
    if nobody:
        log.warning("no_accounts hint='rosette base account add NAME --role admin'")
    where = settings.dashboard
    app = make_app(settings, time.time, Passwords())  # noqa: TID251 - the entry point picks the clock
    server = uvicorn.Server(
        uvicorn.Config(
            app, host=where.host, port=where.port, log_config=None, access_log=False, ws="none",
            server_header=False, proxy_headers=True, forwarded_allow_ips="127.0.0.1",
            timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    log.info("dashboard address=http://%s:%d https=%s", where.host, where.port, where.https)
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server takes them over and, when it has ended, raises them once more: that is no news.
        signal.signal(number, lambda *_: None)
    server.run()
    return 0 if server.started else 1
