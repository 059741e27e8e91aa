"""People of the sample data: named on what they did, and nobody who could sign in, be mailed or take a seat."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from crm.workspace.actors import member_actor
from crm.workspace.models import Member, Role
from crm.workspace.people.member_services import color_for
from tenants.actors import Actor, TenantRef


@contextmanager
def sample_people(tenant: TenantRef, people: Sequence[tuple[str, str]]) -> Iterator[list[Actor]]:
    """Actors for these people (name and role), who may act inside this context, within a transaction, and never after.

    Those of an earlier sample are taken again.
    """
    roles = {role.slug: role for role in Role.objects.all()}
    there = {one.name: one for one in Member.objects.filter(state=Member.State.SAMPLE)}
    members = []
    for name, role in people:
        user_id = uuid4()
        email = f"{name.partition(' ')[0].lower()}@sample.invalid"
        member = there.get(name) or Member(user_id=user_id, name=name, email=email, color=color_for(user_id))
        member.role, member.state = roles[role], Member.State.ACTIVE
        member.save()
        members.append(member)
    yield [member_actor(tenant, member) for member in members]
    Member.objects.filter(pk__in=[member.pk for member in members]).update(state=Member.State.SAMPLE)
