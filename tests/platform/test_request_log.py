"""The log line of a request tells what was asked, never what a mailed link proves itself by."""

from django.test import RequestFactory
from django.urls import resolve

from config.middleware import shown_path


def test_a_mailed_link_is_logged_without_its_token():
    request = RequestFactory().get("/password/abc/very-secret-token/")
    request.resolver_match = resolve(request.path_info, "config.urls_public")
    assert "very-secret-token" not in shown_path(request)
    assert shown_path(request).startswith("/password/abc/")


def test_any_other_path_is_logged_as_it_is():
    request = RequestFactory().get("/signin/?next=/secret/")
    request.resolver_match = resolve(request.path_info, "config.urls_public")
    assert shown_path(request) == "/signin/"
