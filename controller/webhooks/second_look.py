"""When to judge at all, and when to judge twice: watches lag a little behind what a user has just applied."""

from collections.abc import Callable
from typing import Final

from controller.runtime.manifest import Manifest
from controller.state.cluster import Cluster
from controller.translate.policy_choice import REASONS
from controller.webhooks.finding import Finding

#: A policy or namespace applied in the same breath is seen by then; a refusal can wait so long.
SETTLE_SECONDS: Final = 0.3
LOOK_AGAIN_SECONDS: Final = 0.05

#: What a ModelProfile may say otherwise than the catalogue, or than it said before.
FROM_PROFILES: Final = frozenset(
    {
        "UnknownModel",
        "UnknownFacts",
        "UnsupportedPrecision",
        "PrecisionUnsupported",
        "LengthTooLong",
        "ProfileNotFound",
        "ProfileInvalid",
    }
)
#: Refusals that another object may take away.
FROM_OTHER_OBJECTS: Final = REASONS | FROM_PROFILES | {"TooLargeForAnyGPU"}


def unchanged(obj: Manifest, old: Manifest | None) -> bool:
    """Whether there is nothing to judge: the spec is the old one's, or the object is on its way out."""
    if obj.get("metadata", {}).get("deletionTimestamp") is not None:
        return True
    return old is not None and obj.get("spec") == old.get("spec")


async def second_look(cluster: Cluster, judge: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings; those that other objects cause are looked at again for a moment before they refuse."""
    findings = judge()
    until = cluster.clock.monotonic() + SETTLE_SECONDS
    while _may_pass(findings) and cluster.clock.monotonic() < until:
        await cluster.clock.sleep(LOOK_AGAIN_SECONDS)
        findings = judge()
    return findings


def _may_pass(findings: list[Finding]) -> bool:
    return any(finding.refuses and finding.reason in FROM_OTHER_OBJECTS for finding in findings)
