"""The embedded broker: `python -m firmware.demo.embedded PORT`, amqtt on loopback until SIGTERM.

For machines without Mosquitto. MQTT 3.1.1 only; sessions live in memory and only for clients with
a user name, whatever that name is. Not for the field.
"""

import asyncio
import logging
import signal
import sys

from amqtt.broker import Broker

PLUGINS = {
    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
}


async def serve(port: int) -> None:
    """Run until SIGTERM or SIGINT."""
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": PLUGINS,
        "timeout_disconnect_delay": 0,
    }
    broker = Broker(config)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await broker.start()
    await stopped.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(int(sys.argv[1])))
