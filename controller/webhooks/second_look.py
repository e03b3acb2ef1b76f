"""When to judge at all, and when to judge twice: watches lag a little behind what a user has just applied."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from controller.runtime.cache.informer import CacheNotSynced
from controller.runtime.logger import Logger
from controller.runtime.manifest import Manifest
from controller.state.cluster import Cluster
from controller.translate.policy_choice import REASONS
from controller.webhooks.finding import Finding

#: A policy or namespace applied in the same breath is seen by then; a refusal can wait so long.
SETTLE_SECONDS: Final = 0.3
LOOK_AGAIN_SECONDS: Final = 0.05
#: Where the watches lag by more, the collections are read anew: well within the 5 s that the API server waits.
READ_SECONDS: Final = 2.0

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
#: Those that the collections of `latest` decide alone; nodes are many, and are not read anew for a refusal.
FROM_FEW_OBJECTS: Final = REASONS | FROM_PROFILES

_log = Logger(__name__)


def unchanged(obj: Manifest, old: Manifest | None) -> bool:
    """Whether there is nothing to judge: the spec is the old one's, or the object is on its way out."""
    if obj.get("metadata", {}).get("deletionTimestamp") is not None:
        return True
    return old is not None and obj.get("spec") == old.get("spec")


async def second_look(
    cluster: Cluster, judge: Callable[[], list[Finding]], latest: Callable[[], Awaitable[None]]
) -> list[Finding]:
    """The findings; those that other objects cause are looked at again for a moment before they refuse.

    `latest` reads policies, namespaces and model profiles anew: nobody is refused for what a watch has not brought yet.
    """
    findings = judge()
    until = cluster.clock.monotonic() + SETTLE_SECONDS
    while _refused_for(findings, FROM_OTHER_OBJECTS) and cluster.clock.monotonic() < until:
        await cluster.clock.sleep(LOOK_AGAIN_SECONDS)
        findings = judge()
    if _refused_for(findings, FROM_FEW_OBJECTS):
        await latest()
        findings = judge()
    return findings


async def read_latest(cluster: Cluster) -> None:
    """Have the caches hold every policy, namespace and model profile written before now, or READ_SECONDS pass."""
    few = (cluster.policies, cluster.namespaces, cluster.model_profiles)
    try:
        async with asyncio.TaskGroup() as tasks:
            for informer in few:
                tasks.create_task(informer.refresh(READ_SECONDS), name=f"{informer} anew")
    except* CacheNotSynced as late:
        _log.warning("judged by what was last read", reason="; ".join(map(str, late.exceptions)))


def _refused_for(findings: list[Finding], reasons: frozenset[str]) -> bool:
    return any(finding.refuses and finding.reason in reasons for finding in findings)
