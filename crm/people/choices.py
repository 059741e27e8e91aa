"""The fixed choices of people's fields."""

from babel import Locale, UnknownLocaleError
from django.utils.functional import lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from crm.records.schema.field import Choice

COMPANY_KINDS = (
    Choice(value="prospect", label=_("Prospect"), color="blue"),
    Choice(value="customer", label=_("Customer"), color="green"),
    Choice(value="supplier", label=_("Supplier"), color="amber"),
    Choice(value="partner", label=_("Partner"), color="violet"),
    Choice(value="owner", label=_("Owner or investor"), color="teal"),
    Choice(value="other", label=_("Other"), color="gray"),
)
COMPANY_SIZES = tuple(Choice(value=size, label=size) for size in ("1-10", "11-50", "51-200", "201-1000", "1000+"))
CONTACT_STATUSES = (
    Choice(value="new", label=_("New"), color="blue"),
    Choice(value="working", label=_("Working"), color="amber"),
    Choice(value="qualified", label=_("Qualified"), color="teal"),
    Choice(value="unqualified", label=_("Unqualified"), color="gray"),
    Choice(value="customer", label=_("Customer"), color="green"),
)
SOURCES = (
    Choice(value="website", label=_("Website"), color="blue"),
    Choice(value="referral", label=_("Referral"), color="green"),
    Choice(value="phone", label=_("Phone"), color="teal"),
    Choice(value="email", label=_("Email"), color="cyan"),
    Choice(value="event", label=_("Event"), color="orange"),
    Choice(value="partner", label=_("Partner"), color="violet"),
    Choice(value="advertising", label=_("Advertising"), color="amber"),
    Choice(value="social", label=_("Social media"), color="pink"),
    Choice(value="import", label=_("Import"), color="gray"),
    Choice(value="other", label=_("Other"), color="gray"),
)
LANGUAGE_CODES = [
    "ar",
    "bg",
    "bn",
    "bs",
    "ca",
    "cs",
    "cy",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "eu",
    "fa",
    "fi",
    "fil",
    "fr",
    "ga",
    "gl",
    "he",
    "hi",
    "hr",
    "hu",
    "hy",
    "id",
    "is",
    "it",
    "ja",
    "ka",
    "kk",
    "ko",
    "lb",
    "lt",
    "lv",
    "mk",
    "ms",
    "mt",
    "nb",
    "nl",
    "nn",
    "pl",
    "pt",
    "pt_BR",
    "ro",
    "ru",
    "sk",
    "sl",
    "sq",
    "sr",
    "sv",
    "sw",
    "ta",
    "th",
    "tr",
    "uk",
    "ur",
    "uz",
    "vi",
    "zh",
    "zh_Hant",
]


def language_name(code: str) -> str:
    """The name of a language in the reader's own language, or the code where Babel does not know it."""
    try:
        reader = Locale.parse(get_language() or "en", sep="-")
    except (UnknownLocaleError, ValueError):
        reader = Locale("en")
    return Locale.parse(code).get_display_name(reader) or code


_language_name = lazy(language_name, str)
LANGUAGES = tuple(Choice(value=code, label=_language_name(code)) for code in LANGUAGE_CODES)
