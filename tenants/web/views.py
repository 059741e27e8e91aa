"""Pages of the public host: sign-up, sign-in, passwords, addresses, workspaces."""

from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.password_reset import reset_password
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth import logout as django_logout
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.csp import CSP
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csp import csp_override
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST, require_safe

from tenants import rate_limits
from tenants.accounts import services
from tenants.accounts.api_keys import EVER, secrets_drop_since
from tenants.accounts.browsers import known_as, trust_end
from tenants.accounts.passkeys import SIGN_IN, use_options
from tenants.accounts.session_handover import entry_url, is_digest, safe_path, token_issue
from tenants.accounts.sign_in import factor_check, passkey_shown, pending_of, sign_in, start_session
from tenants.accounts.signup import (
    proof_address,
    send_verification,
    sign_up,
    subdomain_propose,
    take_over,
    take_over_token,
    take_over_user,
    workspace_make,
)
from tenants.accounts.two_factor import factors_drop
from tenants.http import Request
from tenants.models import SupportVisit, User
from tenants.names import name_mailed
from tenants.rate_limits import limited
from tenants.sessions import PASSWORD
from tenants.web.access import PUBLIC, SIGNED_IN, access
from tenants.web.forms import NewPasswordForm, ResetForm, SignInForm, SignUpForm, WorkspaceForm
from tenants.web.two_factor_pages import GO_ON, SECOND_STEP, factor_choices, not_fitting
from tenants.work.mail import mail_queue
from tenants.workspaces import memberships
from tenants.workspaces.hosts import public_url, tenant_url
from tenants.workspaces.locales import currency_guess
from tenants.workspaces.subdomains import SubdomainTaken, subdomain_refusal
from tenants.workspaces.support import visit_waiting

RESET = "password_reset"
LATER = "second_factor_later"
"""Set once somebody was told that a workspace will ask for a second factor, and put it off."""
PICKER = "/workspaces/"


def to_workspaces_csp() -> dict[str, Any]:
    """The policy of pages whose form's answer may lead to a workspace's host: redirects count as form targets."""
    scheme, _slashes, host = settings.PUBLIC_ORIGIN.partition("://")
    port = f":{host.rpartition(':')[2]}" if ":" in host else ""
    workspaces = f"{scheme}://*.{settings.BASE_DOMAIN}{port}"
    return {**settings.SECURE_CSP, "form-action": [CSP.SELF, workspaces]}


leads_to_workspaces = csp_override(to_workspaces_csp())


def _user(request: Request) -> User:
    return cast(User, request.user)


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


@require_safe
@never_cache
@limited("verify", methods=("GET",))
@access(PUBLIC)
def verify(request: Request, key: str) -> HttpResponseBase:
    """Proves an address by the mailed link, for who is signed in as the account it was sent for.

    Without that, whoever signed up with somebody else's address would have it proven by its owner's click.
    """
    address = proof_address(key)
    if address is None or address.email != address.user.email:
        return render(request, "account/verify_invalid.html", status=410)
    here = reverse("verify", args=[key])
    if not request.user.is_authenticated:
        messages.info(request, _("Sign in with the password you chose, and your address is confirmed."))
        return HttpResponseRedirect(f"{reverse('signin')}?next={quote(here)}")
    if address.user_id != _user(request).pk:
        context = {"email": address.email, "mine": _user(request).email, "next": here}
        return render(request, "account/other_account.html", context, status=403)
    if not address.verified and not services.address_prove(address.user):
        return redirect("take_over", token=take_over_token(address.user))
    return render(request, "account/verified.html", {"email": address.email})


@never_cache
@limited("verify")
@access(SIGNED_IN)
def verify_again(request: Request) -> HttpResponseBase:
    """Says where the mail went and sends it again."""
    user = _user(request)
    if services.is_verified(user.pk):
        return render(request, "account/verified.html", {"email": user.email})
    if request.method == "POST":
        rate_limits.count("verify", str(user.pk))
        with transaction.atomic():
            send_verification(user)
        messages.success(request, _("The mail is on its way to %(email)s.") % {"email": user.email})
        return redirect("verify_again")
    return render(request, "account/verify_again.html", {"email": user.email})


@never_cache
@leads_to_workspaces
@limited("takeover", methods=("GET", "POST"))
@access(PUBLIC)
def take_over_page(request: Request, token: str) -> HttpResponseBase:
    """Offers the workspace that was signed up with an address that this account has proven."""
    duplicate = take_over_user(token)
    if duplicate is None:
        return render(request, "account/verify_invalid.html", status=410)
    here = reverse("take_over", args=[token])
    if not request.user.is_authenticated:
        messages.info(request, _("Sign in with your account's own password to take the new workspace over."))
        return HttpResponseRedirect(f"{reverse('signin')}?next={quote(here)}")
    user = _user(request)
    proven = services.verified_user(duplicate.email)
    if proven is None or proven.pk != user.pk:
        context = {"email": duplicate.email, "mine": user.email, "next": here, "take_over": True}
        return render(request, "account/other_account.html", context, status=403)
    if request.method == "POST":
        try:
            moved = take_over(duplicate=duplicate, by=user)
        except LookupError:
            return render(request, "account/verify_invalid.html", status=410)
        if len(moved) == 1:
            return HttpResponseRedirect(entry_url(moved[0]))
        return redirect("workspaces")
    names = [one.tenant.name for one in memberships.memberships(duplicate)]
    return render(request, "account/take_over.html", {"email": user.email, "workspaces": names})


@require_safe
@never_cache
@access(SIGNED_IN)
def workspaces(request: Request) -> HttpResponseBase:
    """My workspaces; straight in when there is one, unless ``?choose=1``."""
    user = _user(request)
    mine = [one.tenant for one in memberships.memberships(user)]
    rows = []
    for tenant in mine:
        domain = next((one for one in tenant.domains.all() if one.is_primary), None)
        if domain is not None:
            ref = tenant.ref(domain)
            rows.append({"ref": ref, "host": domain.domain, "url": tenant_url(ref, "/")})
    if len(rows) == 1 and "choose" not in request.GET:
        return HttpResponseRedirect(str(rows[0]["url"]))
    context = {"workspaces": rows, "email": user.email, "verified": services.is_verified(user.pk)}
    return render(request, "account/workspaces.html", context)


@never_cache
@leads_to_workspaces
@limited("workspace")
@access(SIGNED_IN)
def workspace_new(request: Request) -> HttpResponseBase:
    user = _user(request)
    if not services.is_verified(user.pk):
        return render(request, "account/verify_first.html", {"email": user.email}, status=403)
    form = WorkspaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = workspace_make(
                owner=user,
                company=values["company"],
                subdomain=values["subdomain"],
                locale=user.locale or (get_language() or "en")[:12],
                currency=currency_guess(request.headers.get("Accept-Language", "")),
                time_zone=values["time_zone"],
                sample=values["sample"],
            )
        except SubdomainTaken:
            form.add_error("subdomain", _("Somebody took this address just now. Choose another."))
        else:
            return HttpResponseRedirect(entry_url(made))
    return render(request, "account/workspace_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@never_cache
@leads_to_workspaces
@limited("handover", methods=("GET",))
@access(SIGNED_IN)
def handover(request: Request, tenant_id: UUID) -> HttpResponseBase:
    """Gives a signed-in member, or an operator on a visit, a token for the workspace whose host asked with a nonce."""
    nonce_hash = request.GET.get("nonce", "")
    if not is_digest(nonce_hash):
        raise Http404
    user = _user(request)
    membership = memberships.membership_of(user.pk, tenant_id)
    visit = visit_waiting(operator_id=user.pk, tenant_id=tenant_id) if user.is_staff and membership is None else None
    if membership is None and visit is None:
        return render(request, "account/not_member.html", {"email": user.email, "tenant_id": tenant_id}, status=403)
    ref = (membership or cast(SupportVisit, visit)).tenant.ref()
    if membership is not None and membership.tenant.requires_second_factor and not user.has_second_factor:
        open_until = membership.tenant.second_factor_from
        late = open_until is None or open_until <= timezone.now()
        if "later" in request.GET:
            request.session[LATER] = True
        if late or LATER not in request.session:
            request.session[GO_ON] = str(ref.id)
            context = {"workspace": ref.name, "open_until": open_until, "late": late}
            return render(request, "account/second_required.html", context, status=403 if late else 200)
    if request.session.session_key is None:
        request.session.create()
    token = token_issue(user=user, tenant=ref, nonce_hash=nonce_hash, parent_key=cast(str, request.session.session_key))
    back = safe_path(request.GET.get("next"))
    return HttpResponseRedirect(tenant_url(ref, f"/handover/?token={token}&next={quote(back)}"))


@require_POST
@access(SIGNED_IN)
def signout_everywhere(request: Request) -> HttpResponseBase:
    """Ends all sessions of the account, in every browser."""
    services.sessions_end(user_id=_user(request).pk)
    request.session.flush()
    messages.success(request, _("You are signed out in all browsers."))
    return redirect("signin")
