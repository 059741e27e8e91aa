"""Proving an email address, and taking over what was signed up with one that is proven already."""

from urllib.parse import quote

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tenants import rate_limits
from tenants.accounts import services
from tenants.accounts.session_handover import entry_url
from tenants.accounts.signup import proof_address, send_verification, take_over, take_over_token, take_over_user
from tenants.http import Request
from tenants.rate_limits import limited
from tenants.web.access import PUBLIC, SIGNED_IN, access
from tenants.web.pages import leads_to_workspaces, user_of
from tenants.workspaces import memberships


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
    if address.user_id != user_of(request).pk:
        context = {"email": address.email, "mine": user_of(request).email, "next": here}
        return render(request, "account/other_account.html", context, status=403)
    if not address.verified and not services.address_prove(address.user):
        return redirect("take_over", token=take_over_token(address.user))
    return render(request, "account/verified.html", {"email": address.email})


@never_cache
@limited("verify")
@access(SIGNED_IN)
def verify_again(request: Request) -> HttpResponseBase:
    """Says where the mail went and sends it again."""
    user = user_of(request)
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
    user = user_of(request)
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
