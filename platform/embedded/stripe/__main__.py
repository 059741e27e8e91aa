"""``python -m embedded.stripe PORT FOLDER``: the stand-in as a process, until SIGTERM.

With ``--webhook URL`` it sends all events there, signed by STRIPE_WEBHOOK_SECRET, over a connection to ``--connect
HOST:PORT`` where that is given: the name in URL need not lead anywhere.
"""

import argparse
import os
import signal
import threading
from pathlib import Path

from embedded.stripe.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="embedded.stripe")
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--webhook", default="")
    parser.add_argument("--connect", default="")
    wishes = parser.parse_args()
    over = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: over.set())
    server = serve(wishes.port, wishes.folder)
    if wishes.webhook:
        server.delivery.register(wishes.webhook, os.environ["STRIPE_WEBHOOK_SECRET"], connect=wishes.connect)
    over.wait()
    server.close()


if __name__ == "__main__":
    main()
