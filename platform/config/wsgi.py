"""The web application, for granian or any other WSGI server."""

import os

from config.processes import die_with_parent, keep_files_private

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
die_with_parent()
keep_files_private()

import django  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import get_resolver  # noqa: E402

django.setup(set_prefix=False)

from config.incoming import WebHandler  # noqa: E402

application = WebHandler()
for urlconf in (settings.ROOT_URLCONF, settings.TENANT_URLCONF, settings.API_URLCONF):
    len(get_resolver(urlconf).reverse_dict)  # loads every view now, and not in somebody's first request
