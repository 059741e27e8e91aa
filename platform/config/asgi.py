"""The web application for granian or any other ASGI server: config.wsgi in threads, behind a buffer."""

from django.conf import settings

from config import wsgi  # first, since it sets up what the others import
from config.buffering import Buffered
from config.incoming import MAX_UPLOADED
from tenants.rate_limits import network_of

application = Buffered(
    wsgi.application,
    threads=settings.ENVIRONMENT.web_threads,
    max_body=MAX_UPLOADED,
    client=network_of,
)
