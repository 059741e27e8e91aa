"""The product's settings with one more event reader, which leaves a mark each time it is called."""

from config.settings import *  # noqa: F403
from config.settings import EVENT_HANDLERS as HANDLERS

EVENT_HANDLERS = {**HANDLERS, "count": "tests.faults.counting.count"}
