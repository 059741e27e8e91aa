"""Settings and the entry points of the processes. The Celery app loads with it, so that tasks find it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
