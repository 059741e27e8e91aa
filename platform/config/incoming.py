"""What comes in with a request, judged before anything else reads it: its address, and its body whole or not at all."""

import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext as _

from api.middleware import is_api
from config.buffering import TOO_MANY, TOO_SLOW, UNREAD
from config.errors import refused

MAX_UPLOADED = 12 * 1024 * 1024
"""Bytes of a form with files."""
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Signs that nobody sees; no address of ours holds one, and the database takes no NUL."""
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
STRIPE_WEBHOOKS = "/billing/webhooks/stripe/"
HINTS = ("HTTP_HX_CURRENT_URL", "HTTP_REFERER")
GZIP = zlib.MAX_WBITS | 16
READ_BYTES = 256 * 1024


class WebRequest(WSGIRequest):
    """Django's, that can be made of any head: Django reads the address at once where a charset is named, and whatever
    is wrong with either would be raised where nothing answers."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class WebHandler(WSGIHandler):
    request_class = WebRequest


class Refusal(Exception):
    """A request that goes no further; ``code`` is for programs, ``message`` for people."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


class IncomingMiddleware:
    """Stands below HostMiddleware, since the answer has the look of the host, and above all that reads a body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            if UNSEEN.search(request.path_info):
                raise Refusal(404, "not_found", _("There is nothing here."))
            read_hints(request)
            read_query(request)
            if request.method not in WITHOUT_BODY:
                read_body(request)
        except Refusal as refusal:
            return refused(request, refusal.status, refusal.code, refusal.message, refusal.headers)
        return self.get_response(request)


def read_hints(request: HttpRequest) -> None:
    """Leave out what is only a hint and cannot be read: which page it comes from."""
    for name in HINTS:
        try:
            urlsplit(request.META.get(name, ""))
        except ValueError:
            del request.META[name]
            vars(request).pop("headers", None)  # read from META before, and kept


def read_query(request: HttpRequest) -> None:
    """Refuse an address whose parameters cannot be read, so that nothing below meets them unawares."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset.strip().lower() not in CHARSETS:
        raise Refusal(
            415, "unknown_charset", _("Text is read in UTF-8 here, not in %(name)s.") % {"name": charset[:40]}
        )
    try:
        request.GET  # noqa: B018
    except SuspiciousOperation as error:
        request.GET = QueryDict()
        message = _("At most %(most)d parameters can be given.") % {"most": settings.DATA_UPLOAD_MAX_NUMBER_FIELDS}
        raise Refusal(400, "too_many_parameters", message) from error


def read_body(request: HttpRequest) -> None:
    """Put the body, unpacked, in the place from which Django reads it, with its length. Raises Refusal."""
    if why := request.META.pop(UNREAD, ""):
        raise unread(why)
    multipart = request.content_type == "multipart/form-data"
    most = MAX_UPLOADED if multipart else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    meta = request.META
    packed = meta.pop("HTTP_CONTENT_ENCODING", "").strip().lower()
    if packed not in {"", "identity", "gzip", "x-gzip"}:
        message = _("A body may be packed with gzip, not with %(coding)s.") % {"coding": packed[:40]}
        raise Refusal(415, "unsupported_encoding", message, {"Accept-Encoding": "gzip"})
    zipped = packed in {"gzip", "x-gzip"}
    length = meta.get("CONTENT_LENGTH") or ""
    if length:
        body = of_length(request, length, most)
    elif "HTTP_TRANSFER_ENCODING" in meta or not meta.get("SERVER_PROTOCOL", "").startswith("HTTP/1"):
        body = in_chunks(request, most)
        if not zipped:
            hold_its_end(request, body)
    else:
        body = b""
    if zipped and body:
        body = unpacked(body, most)
    if body and not is_for_programs(request) and request.content_type not in FORMS:
        raise Refusal(415, "unsupported_media_type", _("Pages take forms; for programs there is the API."))
    meta["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)


def is_for_programs(request: HttpRequest) -> bool:
    """Whether JSON may come there: the API, and on the public host Stripe's webhooks."""
    is_public = getattr(request, "host_kind", "") == "public"
    return is_api(request) or (is_public and request.path_info == STRIPE_WEBHOOKS)


def of_length(request: HttpRequest, length: str, most: int) -> bytes:
    if not (length.isascii() and length.isdecimal()):
        raise Refusal(400, "bad_length", _("Content-Length is no number."))
    if len(length) > 15 or int(length) > most:
        raise too_large(most)
    body = read_up_to(request, int(length))
    if len(body) < int(length):
        raise incomplete()
    return body


def in_chunks(request: HttpRequest, most: int) -> bytes:
    """A body that says no length. The server has taken the chunks apart; what it could not is cut off."""
    codings = request.META.pop("HTTP_TRANSFER_ENCODING", "chunked").lower().replace(" ", "")
    if codings != "chunked":
        raise Refusal(400, "bad_transfer", _("A body comes with its length or in chunks, and no other way."))
    body = read_up_to(request, most + 1)
    if len(body) > most:
        raise too_large(most)
    return body


def hold_its_end(request: HttpRequest, body: bytes) -> None:
    """The server does not tell a broken chunk from the last one, so only what shows its own end is taken in chunks: an
    object of JSON, a form in parts, and what is packed."""
    if not body or (request.content_type or "").endswith("json"):
        return
    if request.content_type != "multipart/form-data":
        message = _("Say Content-Length: only JSON, forms in parts and packed bodies can be sent in chunks.")
        raise Refusal(411, "length_required", message)
    boundary = (request.content_params or {}).get("boundary", "")
    if not body.rstrip(b"\r\n").endswith(b"--" + boundary.encode() + b"--"):
        raise incomplete()


def read_up_to(request: HttpRequest, most: int) -> bytes:
    stream, parts, left = request.META["wsgi.input"], list[bytes](), most
    while left > 0:
        part = cast(bytes, stream.read(min(left, READ_BYTES)))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def unpacked(body: bytes, most: int) -> bytes:
    """What is packed in ``body``, one or several gzip members, unless it is too large or not all there."""
    found = b""
    while body:
        unpacker = zlib.decompressobj(GZIP)
        try:
            found += unpacker.decompress(body, most + 1 - len(found))
        except zlib.error as error:
            raise Refusal(400, "bad_gzip", _("The body is not packed with gzip, or was damaged.")) from error
        if len(found) > most:
            raise too_large(most)
        if not unpacker.eof:
            raise incomplete()
        body = unpacker.unused_data
    return found


def too_large(most: int) -> Refusal:
    message = _("This is too large: at most %(most)d MB can be sent at once.") % {"most": most // 1024 // 1024}
    return Refusal(413, "body_too_large", message)


def unread(why: str) -> Refusal:
    """What the buffer before the threads has not waited for."""
    if why == TOO_SLOW:
        message = _("It took too long to arrive, so nothing was done with it. Send it again over a better connection.")
        return Refusal(408, "too_slow", message, {"Connection": "close"})
    if why == TOO_MANY:
        message = _("Too much from your address is on its way at once. Wait half a minute and send it again.")
        return Refusal(429, "too_many", message, {"Retry-After": "30", "Connection": "close"})
    return incomplete()


def incomplete() -> Refusal:
    return Refusal(400, "incomplete_body", _("Only part of this arrived, so nothing was done with it. Send it again."))
