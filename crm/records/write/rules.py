"""What the app of a record type has to say of every write: rules before it, hooks after it."""

from collections.abc import Callable
from dataclasses import dataclass

from crm.records.schema.record_type import RecordType
from crm.records.write.batch import Batch
from tenants.registration import Table

type Rule = Callable[[Batch], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """``before`` a write they may set values and add errors; ``after`` it, in its transaction, they follow it up."""

    before: tuple[Rule, ...] = ()
    after: tuple[Rule, ...] = ()


NONE = Rules()
by_record_type: Table[Rules] = Table("set of rules")


def rules_register(record_type: RecordType, *before: Rule, after: tuple[Rule, ...] = ()) -> None:
    """Have these run with every write of the type, in this order. Raises ImproperlyConfigured when it has some."""
    by_record_type.add(record_type.slug, Rules(before, after))


def rules_of(record_type: RecordType) -> Rules:
    return by_record_type.get(record_type.slug, NONE)
