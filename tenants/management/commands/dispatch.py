"""The dispatcher, in the foreground."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from tenants.work.dispatcher import run


class Command(BaseCommand):
    help = "Queues the work of every workspace when it is due, until it is stopped. Several at once share the work."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        run(stopping)
