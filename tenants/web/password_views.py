"""A new password for somebody who forgot theirs."""

from uuid import UUID

from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.password_reset import reset_password
from django.contrib import messages
from django.db import transaction
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from tenants import rate_limits
from tenants.accounts import services
from tenants.accounts.api_keys import EVER, secrets_drop_since
from tenants.accounts.browsers import trust_end
from tenants.accounts.two_factor import factors_drop
from tenants.http import Request
from tenants.models import User
from tenants.names import name_mailed
from tenants.rate_limits import limited
from tenants.web.access import PUBLIC, access
from tenants.web.forms import NewPasswordForm, ResetForm
from tenants.work.mail import mail_queue
from tenants.workspaces import memberships
from tenants.workspaces.hosts import public_url

RESET = "password_reset"


@never_cache
@limited("reset")
@access(PUBLIC)
def reset(request: Request) -> HttpResponseBase:
    """Asks for a reset by mail; the page says the same whoever asks, the mail says what is so."""
    form = ResetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"].lower()
        rate_limits.count("reset", email)
        links = [
            (public_url(f"/password/{user.pk.hex}/{default_token_generator.make_token(user)}/"), user)
            for user in services.reset_candidates(email)
        ]
        context = {
            "email": email,
            "links": [
                {"link": link, "workspaces": [name_mailed(one.tenant.name) for one in memberships.memberships(user)]}
                for link, user in links
            ],
        }
        template = "account/mail/reset" if links else "account/mail/unknown"
        with transaction.atomic():
            mail_queue(
                template, to=email, locale=links[0][1].locale if links else get_language() or "", context=context
            )
        return render(request, "account/reset_sent.html", {"email": email})
    return render(request, "account/reset.html", {"form": form}, status=422 if form.errors else 200)


def _reset_user(uid: str, token: str, *, lock: bool = False) -> User | None:
    """Whose password the link sets; ``lock`` makes a second one with the same link wait and find it used."""
    rows = User.objects.select_for_update() if lock else User.objects.all()
    try:
        user = rows.filter(pk=UUID(uid), is_active=True).first()
    except ValueError:
        return None
    return user if user is not None and default_token_generator.check_token(user, token) else None


@require_safe
@never_cache
@limited("reset_key", methods=("GET",))
@access(PUBLIC)
def reset_key(request: Request, uid: str, token: str) -> HttpResponseBase:
    """Takes the link's key into the session, so that it stands in no address bar and no referrer."""
    if _reset_user(uid, token) is None:
        return render(request, "account/reset_invalid.html", status=410)
    request.session[RESET] = [uid, token]
    return redirect("password_new")


@never_cache
@sensitive_post_parameters("password")
@limited("reset_key")
@access(PUBLIC)
def password_new(request: Request) -> HttpResponseBase:
    uid, token = request.session.get(RESET) or ("", "")
    user = _reset_user(uid, token)
    if user is None:
        return render(request, "account/reset_invalid.html", status=410)
    form = NewPasswordForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            user = _reset_user(uid, token, lock=True)
            if user is None:
                return render(request, "account/reset_invalid.html", status=410)
            reset_password(user, form.cleaned_data["password"])
            if not services.is_verified(user.pk):
                # Whoever signed up with an address that is not theirs keeps nothing.
                secrets_drop_since(user, EVER)
                factors_drop(user)
            trust_end(user)
            services.address_prove(user)
            services.sessions_end(user_id=user.pk)
        request.session.flush()
        messages.success(request, _("Your new password holds from now on. You were signed out everywhere."))
        return redirect("signin")
    context = {"form": form, "email": user.email}
    return render(request, "account/password_new.html", context, status=422 if form.errors else 200)
