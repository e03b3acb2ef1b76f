"""Rights of which no request tells, since admission asks for them: `test_owners.py` shows each to be needed."""

from typing import Final

OWNERS: Final = frozenset(
    {
        "delete configmaps",
        "update inferenceservices/finalizers.aim.amd.com",
        "delete leases.coordination.k8s.io in aim-gpu-system",
    }
)
