"""Account and security on the public host: what a person signs in with, and where."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from allauth.account.forms import default_token_generator
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from tenants import rate_limits
from tenants.accounts import email_change, services, two_factor
from tenants.accounts.browsers import trust_end, trusted_browsers, visit_of
from tenants.accounts.passkeys import make_options
from tenants.accounts.security_log import account_events
from tenants.accounts.session_handover import entry_url, safe_path
from tenants.accounts.sign_in import (
    browser_end,
    browsers_of,
    confirmed_now,
    factor_check,
    factor_count,
    guard_changed,
    password_change,
    recently_confirmed,
    second_factor_shown,
)
from tenants.accounts.two_factor import FactorRefused
from tenants.http import Request
from tenants.models import Passkey, User
from tenants.rate_limits import limited
from tenants.web.access import PUBLIC, SIGNED_IN, access
from tenants.web.forms import CodeForm, EmailForm, NewPasswordForm, PasskeyNameForm
from tenants.web.pages import leads_to_workspaces, user_of
from tenants.web.password_views import RESET
from tenants.web.two_factor_pages import CONFIRM, GO_ON, factor_choices, not_fitting, password_confirms
from tenants.workspaces import memberships

get_or_post = require_http_methods(["GET", "HEAD", "POST"])


def _passkey(request: Request, passkey_id: UUID) -> Passkey:
    found = Passkey.objects.filter(user=user_of(request), pk=passkey_id).first()
    if found is None:
        raise Http404
    return found


def _back(request: Request, error: FactorRefused) -> HttpResponse:
    messages.error(request, str(error))
    return redirect("account")


@require_GET
@never_cache
@access(SIGNED_IN)
def account(request: Request) -> HttpResponse:
    user = user_of(request)
    context = {
        "email": user.email,
        "verified": services.is_verified(user.pk),
        "change": email_change.pending_change(user),
        "factors": two_factor.factors_of(user),
        "requiring": two_factor.requiring_workspaces(user),
        "browsers": browsers_of(user, request.session.session_key),
        "trusted": trusted_browsers(user),
        "happened": account_events(user),
    }
    return render(request, "account/account.html", context)


@get_or_post
@never_cache
@sensitive_post_parameters("password", "code")
@leads_to_workspaces
@limited("account")
@access(SIGNED_IN)
def confirm(request: Request) -> HttpResponseBase:
    """Asks once more for the password or a factor, before what guards the account is changed."""
    user, problem = user_of(request), ""
    target = safe_path(request.POST.get("next") or request.GET.get("next"), reverse("account"))
    if request.method == "POST":
        if request.POST.get("with") == "password" and password_confirms(user):
            rate_limits.count("confirm", str(user.pk))
            fits = user.check_password(request.POST.get("password", "")[:200])
        else:
            fits = factor_check(request, user, action=CONFIRM) is not None
        if fits:
            rate_limits.clear("confirm", str(user.pk))
            confirmed_now(request)
            return HttpResponseRedirect(target)
        password = request.POST.get("with") == "password"
        problem = _("That is not your password.") if password else not_fitting(request)
    context = factor_choices(request, user, action=CONFIRM)
    context |= {"problem": problem, "email": user.email, "next": target}
    return render(request, "account/confirm.html", context, status=422 if problem else 200)


# Second factors


def _set_up(request: Request, how: str, codes: list[str]) -> HttpResponse:
    """After a factor was added: it counts in this session, and the first time there are codes to keep."""
    second_factor_shown(request, user_of(request), how)
    if not codes:
        return redirect("account")
    return _codes_page(request, codes)


def _codes_page(request: Request, codes: list[str]) -> HttpResponse:
    context: dict[str, Any] = {
        "codes": codes,
        "file": quote("\r\n".join(codes) + "\r\n"),
        "email": user_of(request).email,
    }
    membership = None
    if tenant_id := request.session.pop(GO_ON, None):
        membership = memberships.membership_of(user_of(request).pk, UUID(tenant_id))
    if membership is not None:
        context |= {"go_on": entry_url(membership.tenant.ref()), "workspace": membership.tenant.name}
    return render(request, "account/codes.html", context)


@get_or_post
@never_cache
@sensitive_post_parameters("code")
@limited("account")
@access(SIGNED_IN)
@recently_confirmed
def totp_new(request: Request) -> HttpResponseBase:
    user = user_of(request)
    try:
        secret = two_factor.totp_begin(user)
    except FactorRefused as error:
        return _back(request, error)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        key = factor_count(request, user)
        codes = two_factor.totp_confirm(user, form.cleaned_data["code"], visit_of(request))
        if codes is not None:
            rate_limits.clear("second", key)
            messages.success(request, _("Your authenticator app is set up."))
            return _set_up(request, "totp", codes)
        form.add_error("code", _("That code does not fit. Wait for the next one, and check your device's clock."))
    context = {
        "form": form,
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "picture": two_factor.totp_picture(user, secret),
        "address": two_factor.totp_address(user, secret),
    }
    return render(request, "account/totp_new.html", context, status=422 if form.errors else 200)


@get_or_post
@never_cache
@limited("account")
@access(SIGNED_IN)
@recently_confirmed
def totp_remove(request: Request) -> HttpResponseBase:
    user = user_of(request)
    found = two_factor.factors_of(user)
    if found.totp is None:
        raise Http404
    if request.method != "POST":
        context = {"what": _("your authenticator app"), "last": found.is_last}
        return render(request, "account/factor_remove.html", context)
    try:
        two_factor.totp_remove(user, visit_of(request))
    except FactorRefused as error:
        return _back(request, error)
    guard_changed(request)
    messages.success(request, _("The authenticator app is removed."))
    return redirect("account")


@get_or_post
@never_cache
@limited("account")
@access(SIGNED_IN)
@recently_confirmed
def passkey_new(request: Request) -> HttpResponseBase:
    user = user_of(request)
    form = PasskeyNameForm(request.POST or None, initial={"name": visit_of(request).device or _("Passkey")})
    if request.method == "POST" and form.is_valid():
        try:
            codes = two_factor.passkey_add(
                user,
                name=form.cleaned_data["name"],
                credential=request.POST.get("credential", ""),
                challenge=request.POST.get("challenge", "")[:600],
                visit=visit_of(request),
            )
        except FactorRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The passkey is set up. From now on you can sign in with it alone."))
            return _set_up(request, "passkey", codes)
    context = {"form": form, "passkey": make_options(user)}
    return render(request, "account/passkey_new.html", context, status=422 if form.errors else 200)


@get_or_post
@never_cache
@limited("account")
@access(SIGNED_IN)
def passkey_rename(request: Request, passkey_id: UUID) -> HttpResponseBase:
    passkey = _passkey(request, passkey_id)
    form = PasskeyNameForm(request.POST or None, initial={"name": passkey.name})
    if request.method == "POST" and form.is_valid():
        Passkey.objects.filter(pk=passkey.pk).update(name=form.cleaned_data["name"])
        return redirect("account")
    return render(request, "account/passkey_rename.html", {"form": form}, status=422 if form.errors else 200)


@get_or_post
@never_cache
@limited("account")
@access(SIGNED_IN)
@recently_confirmed
def passkey_remove(request: Request, passkey_id: UUID) -> HttpResponseBase:
    user, passkey = user_of(request), _passkey(request, passkey_id)
    if request.method != "POST":
        context = {"what": passkey.name, "last": two_factor.factors_of(user).is_last}
        return render(request, "account/factor_remove.html", context)
    try:
        two_factor.passkey_remove(user, passkey, visit_of(request))
    except FactorRefused as error:
        return _back(request, error)
    guard_changed(request)
    messages.success(request, _("The passkey is removed here. Delete it on your device, too."))
    return redirect("account")


@get_or_post
@never_cache
@leads_to_workspaces
@limited("account")
@access(SIGNED_IN)
@recently_confirmed
def codes_renew(request: Request) -> HttpResponseBase:
    user = user_of(request)
    if request.method != "POST":
        return render(request, "account/codes_renew.html", {"factors": two_factor.factors_of(user)})
    try:
        codes = two_factor.codes_renew(user, visit_of(request))
    except FactorRefused as error:
        return _back(request, error)
    guard_changed(request)
    return _codes_page(request, codes)


# Browsers


@require_POST
@limited("account")
@access(SIGNED_IN)
def session_end(request: Request, session_id: str) -> HttpResponse:
    if not browser_end(user_of(request), session_id):
        raise Http404
    messages.success(request, _("That browser is signed out, in all workspaces too."))
    return redirect("account")


@require_POST
@limited("account")
@access(SIGNED_IN)
def sessions_end_others(request: Request) -> HttpResponse:
    count = services.sessions_end_others(user_id=user_of(request).pk, but=request.session.session_key)
    text = _("You are signed out in all other browsers.") if count else _("You were signed in nowhere else.")
    messages.success(request, text)
    return redirect("account")


@require_POST
@limited("account")
@access(SIGNED_IN)
def browsers_forget(request: Request) -> HttpResponse:
    trust_end(user_of(request))
    messages.success(request, _("Every browser is asked for the second step again."))
    return redirect("account")


# Password and address


@get_or_post
@never_cache
@sensitive_post_parameters("password")
@limited("account")
@access(SIGNED_IN)
@recently_confirmed
def password(request: Request) -> HttpResponseBase:
    user = user_of(request)
    form = NewPasswordForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        password_change(request, user, form.cleaned_data["password"])
        messages.success(request, _("Your new password holds from now on. All other browsers are signed out."))
        return redirect("account")
    return render(
        request, "account/password.html", {"form": form, "email": user.email}, status=422 if form.errors else 200
    )


@get_or_post
@never_cache
@limited("account")
@access(SIGNED_IN)
@recently_confirmed
def email(request: Request) -> HttpResponseBase:
    user = user_of(request)
    form = EmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        rate_limits.count("email_change", str(user.pk))
        try:
            change = email_change.email_change_ask(user, form.cleaned_data["email"])
        except email_change.AddressRefused as error:
            form.add_error("email", str(error))
        else:
            text = _("Open the link that we mailed to %(email)s. Until then your address stays as it is.")
            messages.success(request, text % {"email": change.new_email})
            return redirect("account")
    return render(
        request, "account/email.html", {"form": form, "email": user.email}, status=422 if form.errors else 200
    )


@require_POST
@limited("account")
@access(SIGNED_IN)
def email_cancel(request: Request) -> HttpResponse:
    email_change.email_change_cancel(user_of(request))
    messages.success(request, _("Your address stays as it is."))
    return redirect("account")


@get_or_post
@never_cache
@limited("verify", methods=("GET", "POST"))
@access(PUBLIC)
def email_confirm(request: Request, token: str) -> HttpResponseBase:
    """The link in the new mailbox, for who is signed in as the account that asked.

    Without that, whoever asks for somebody else's address would have it proven by its owner's click.
    """
    change = email_change.change_to_confirm(token)
    if change is None:
        return render(request, "account/email_closed.html", status=410)
    here = reverse("email_confirm", args=[token])
    if not request.user.is_authenticated:
        messages.info(request, _("Sign in, and your new address is confirmed."))
        return HttpResponseRedirect(f"{reverse('signin')}?next={quote(here)}")
    if change.user_id != user_of(request).pk:
        context = {"email": change.new_email, "mine": user_of(request).email, "next": here}
        return render(request, "account/other_account.html", context, status=403)
    return _email_confirm(request, change)


@access(SIGNED_IN)
def _email_confirm(request: Request, change: Any) -> HttpResponseBase:
    if request.method != "POST":
        return render(request, "account/email_confirm.html", {"change": change})
    if not email_change.email_change_confirm(change, visit_of(request)):
        return render(request, "account/email_closed.html", status=410)
    guard_changed(request)
    messages.success(request, _("%(email)s is your address from now on.") % {"email": change.new_email})
    return redirect("account")


@get_or_post
@never_cache
@limited("verify", methods=("GET", "POST"))
@access(PUBLIC)
def email_undo(request: Request, token: str) -> HttpResponseBase:
    """The link in the old mailbox: whoever has it gets the account back, signed out everywhere, with a new password."""
    change = email_change.change_to_undo(token)
    if change is None:
        return render(request, "account/email_closed.html", status=410)
    if request.method != "POST":
        return render(request, "account/email_undo.html", {"change": change})
    if not email_change.email_change_undo(change, visit_of(request)):
        return render(request, "account/email_closed.html", status=410)
    request.session.flush()
    user = User.objects.get(pk=change.user_id)
    request.session[RESET] = [user.pk.hex, default_token_generator.make_token(user)]
    messages.success(request, _("The address is as it was. Choose a new password now."))
    return redirect("password_new")
