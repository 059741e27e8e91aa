"""The product's settings with one more app, whose event reader leaves a mark each time it is called."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = ["tests.faults", *PRODUCT]
