"""For tests of two at once: a workspace whose rows are really committed."""

from tests.records.conftest import real_tenant, really, robot

__all__ = ["real_tenant", "really", "robot"]
