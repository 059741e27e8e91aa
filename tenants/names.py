"""Names that people choose for a workspace, themselves, a team or a role: how they are kept, and how mailed."""

import re
import unicodedata

from django.utils.translation import gettext as _

MAILED = 60
JOINERS = "\u200c\u200d"
"""What joins letters of some scripts and the parts of an emoji: not seen, but part of how a name is written."""
TAGS = range(0xE0020, 0xE0080)
WEB_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|\bwww\.|[^\W_][.。][^\W\d_]{2,}(?:[/?#]\w|:\d)", re.IGNORECASE)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/+", re.IGNORECASE)
INNER_DOT = re.compile(r"(?<=\w)[.。](?=[^\W\d_])")


class NameRefused(ValueError):
    """A name that cannot be; ``message`` is for people, ``code`` one of required, too_long and web_address."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def name_read(text: str, *, longest: int) -> str:
    """The name as it is kept: on one line, without signs that are not seen. Raises NameRefused.

    A domain can be a name, such as Booking.com; an address that begins with www or https, or leads further, is none.
    """
    name = _one_line(text)
    if not name:
        raise NameRefused("required", _("A name is needed."))
    if len(name) > longest:
        raise NameRefused("too_long", _("At most %(most)d characters.") % {"most": longest})
    if WEB_ADDRESS.search(unicodedata.normalize("NFKC", name)):
        raise NameRefused("web_address", _("A name is no web address. Leave https://, www. and what follows a / out."))
    return name


def name_mailed(name: str) -> str:
    """The name as it stands in mails to people who do not know yet who writes to them.

    Nobody who chooses a name can have us mail an address: no mail program makes a link of anything in it.
    """
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", name) if sign not in JOINERS)
    plain = INNER_DOT.sub(". ", SCHEME.sub("", _one_line(plain)).replace("@", " @ "))
    plain = " ".join(plain.split())
    return plain if len(plain) <= MAILED else f"{plain[: MAILED - 1].rstrip()}…"


def _one_line(text: str) -> str:
    """One blank between words, and nothing that is not seen: controls, marks of direction, soft hyphens."""
    spaced = " ".join(text.split())
    return " ".join("".join(sign for sign in spaced if not _unseen(sign)).split())


def _unseen(sign: str) -> bool:
    if sign in JOINERS or ord(sign) in TAGS:
        return False
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co")
