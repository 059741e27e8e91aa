"""The Celery application: three queues, named in settings."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init

from config.processes import die_with_parent, keep_files_private

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
keep_files_private()

app = Celery("rapport")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_arguments: Any) -> None:
    """Celery sets up no logging of its own where this signal has a receiver."""


@worker_process_init.connect
def tie_to_worker(**_arguments: Any) -> None:
    die_with_parent()
