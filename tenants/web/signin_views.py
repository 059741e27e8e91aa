"""Signing up, in and out."""

from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth import logout as django_logout
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from tenants import rate_limits
from tenants.accounts import services
from tenants.accounts.browsers import known_as
from tenants.accounts.passkeys import SIGN_IN, use_options
from tenants.accounts.session_handover import entry_url, safe_path
from tenants.accounts.sign_in import factor_check, passkey_shown, pending_of, sign_in, start_session
from tenants.accounts.signup import sign_up, subdomain_propose
from tenants.http import Request
from tenants.models import User
from tenants.rate_limits import limited
from tenants.sessions import PASSWORD
from tenants.web.access import PUBLIC, SIGNED_IN, access
from tenants.web.forms import SignInForm, SignUpForm
from tenants.web.pages import PICKER, leads_to_workspaces, user_of
from tenants.web.two_factor_pages import SECOND_STEP, factor_choices, not_fitting
from tenants.workspaces.locales import currency_guess
from tenants.workspaces.subdomains import SubdomainTaken, subdomain_refusal


def stay_signed_in(request: Request, user: User) -> None:
    """Sign in somebody whose account was made just now, without a page in between."""
    sign_in(request, user, target=PICKER)


@never_cache
@sensitive_post_parameters("password")
@leads_to_workspaces
@limited("signup")
@access(PUBLIC)
def signup(request: Request) -> HttpResponseBase:
    if request.user.is_authenticated:
        return redirect("workspace_new")
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        rate_limits.count("signup", values["email"])
        try:
            made = sign_up(
                email=values["email"],
                password=values["password"],
                company=values["company"],
                subdomain=values["subdomain"],
                locale=(get_language() or "en")[:12],
                currency=currency_guess(request.headers.get("Accept-Language", "")),
                time_zone=values["time_zone"],
                sample=values["sample"],
            )
        except SubdomainTaken:
            form.add_error("subdomain", _("Somebody took this address just now. Choose another."))
        else:
            stay_signed_in(request, made.user)
            return HttpResponseRedirect(entry_url(made.tenant))
    return render(request, "account/signup.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@never_cache
@limited("address", methods=("GET",))
@access(PUBLIC)
def address_check(request: Request) -> HttpResponse:
    """The address field as it is typed: proposes one from the company's name, says whether one is free."""
    company, subdomain, proposed = (request.GET.get(name, "")[:200] for name in ("company", "subdomain", "proposed"))
    subdomain = subdomain.strip().lower()
    by_company = request.htmx.trigger_name == "company"
    if by_company and subdomain in ("", proposed):
        subdomain = proposed = subdomain_propose(company)
    refusal = subdomain_refusal(subdomain) if subdomain else None
    context = {
        "subdomain": subdomain,
        "proposed": proposed,
        "refusal": refusal,
        "free": bool(subdomain) and not refusal,
    }
    return render(request, f"account/address.html#{'field' if by_company else 'state'}", context)


@never_cache
@sensitive_post_parameters("password")
@leads_to_workspaces
@limited("signin")
@access(PUBLIC)
def signin(request: Request) -> HttpResponseBase:
    target = safe_path(request.POST.get("next") or request.GET.get("next"), PICKER)
    if request.user.is_authenticated and request.method != "POST":
        return HttpResponseRedirect(target)
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"].lower()
        key = f"{rate_limits.client_network(request)} {email}"
        rate_limits.count("signin", key)
        rate_limits.slow("signin_anywhere", f"{email} {known_as(request, email)}")
        user = authenticate(request, email=email, password=form.cleaned_data["password"])
        if user is not None:
            if services.is_verified(user.pk):
                rate_limits.clear("signin", key)
            return sign_in(request, user, target=target)
        form.add_error(None, _("Email and password do not fit together. Try again, or set a new password."))
    return _signin_page(request, form, target, status=422 if form.errors else 200)


def _signin_page(request: Request, form: SignInForm, target: str, *, status: int) -> HttpResponse:
    context = {"form": form, "next": target, "passkey": use_options(SIGN_IN)}
    return render(request, "account/signin.html", context, status=status)


@require_POST
@never_cache
@leads_to_workspaces
@limited("signin")
@access(PUBLIC)
def signin_passkey(request: Request) -> HttpResponseBase:
    """Signs in with a passkey alone: the device has asked its owner for a finger, a face or a PIN."""
    target = safe_path(request.POST.get("next"), PICKER)
    user = passkey_shown(request, action=SIGN_IN)
    if user is not None:
        return sign_in(request, user, target=target, method="passkey")
    form = SignInForm(data={})
    form.errors.clear()
    form.add_error(None, _("That passkey did not work here. Try again, or sign in with your password."))
    return _signin_page(request, form, target, status=422)


@never_cache
@sensitive_post_parameters("code")
@leads_to_workspaces
@limited("second")
@access(PUBLIC)
def second_step(request: Request) -> HttpResponseBase:
    """The second factor of somebody whose password was right."""
    pending = pending_of(request)
    if pending is None:
        if request.user.is_authenticated:
            return redirect("workspaces")
        messages.info(request, _("That took too long. Sign in again."))
        return redirect("signin")
    user, problem = pending.user, ""
    if request.method == "POST":
        shown = factor_check(request, user, action=SECOND_STEP)
        if shown is not None:
            trust = shown != "recovery" and request.POST.get("remember") == "1"
            return start_session(request, user, target=pending.target, method=f"{PASSWORD}+{shown}", trust=trust)
        problem = not_fitting(request)
    context = factor_choices(request, user, action=SECOND_STEP) | {"problem": problem, "email": user.email}
    return render(request, "account/second_step.html", context, status=422 if problem else 200)


@never_cache
@access(PUBLIC)
def signout(request: Request) -> HttpResponseBase:
    """Ends this browser's session here and on every workspace's host."""
    if request.method == "POST":
        target = safe_path(request.POST.get("next"), "")
        services.session_end(request.session.session_key or "")
        django_logout(request)
        messages.success(request, _("You are signed out, here and in all your workspaces."))
        return HttpResponseRedirect(f"{reverse('signin')}?next={quote(target)}" if target else reverse("signin"))
    if not request.user.is_authenticated:
        return redirect("signin")
    return render(request, "account/signout.html")


@require_POST
@access(SIGNED_IN)
def signout_everywhere(request: Request) -> HttpResponseBase:
    """Ends all sessions of the account, in every browser."""
    services.sessions_end(user_id=user_of(request).pk)
    request.session.flush()
    messages.success(request, _("You are signed out in all browsers."))
    return redirect("signin")
