"""``python -m embedded.stripe PORT FOLDER``: the stand-in as a process, until SIGTERM."""

import signal
import sys
import threading
from pathlib import Path

from embedded.stripe.server import serve


def main() -> None:
    over = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: over.set())
    server = serve(int(sys.argv[1]), Path(sys.argv[2]))
    over.wait()
    server.close()


if __name__ == "__main__":
    main()
