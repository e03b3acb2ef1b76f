"""How full GPUs are, and what of them nobody can use: panels of more than one dashboard."""

from grafana_foundation_sdk.builders import timeseries

from controller.telemetry.instruments import GPU_PARTITIONS, SCHEDULER_ALLOCATION, SCHEDULER_FRAGMENTATION
from dashboards.levels import limit, rising
from dashboards.links import to_runbook
from dashboards.panels import Caption, Query, graph, stacked
from dashboards.promql import Scope, highest, total
from dashboards.rules.memory import ALLOCATED
from dashboards.rules.scheduling import FRAGMENTED, FULL

#: Of a product's memory: from the first one on fragments no longer matter, from the second one on it counts as full.
NEARLY_FULL = rising(FULL, ALLOCATED)


def allocated(number: int, scope: Scope) -> timeseries.Panel:
    """Held memory over all memory."""
    caption = Caption(
        number,
        "Memory allocated, by product",
        "Memory of partitions that somebody holds over that of all that are held or free; unusable ones are left out. "
        "Near 100 % the next claim waits, unless something is evicted or a mode changes.",
        "percentunit",
    )
    query = Query(highest(scope.series(SCHEDULER_ALLOCATION), ("product",)), "{{cluster}} {{product}}")
    return graph(caption, query, levels=NEARLY_FULL).max(1).links([to_runbook("AimGpuCapacityExhausted")])


def by_holder(number: int, scope: Scope) -> timeseries.Panel:
    """Partitions by who has them."""
    caption = Caption(
        number,
        "Partitions, by holder",
        "free: anybody's; ours: of a claim; foreign: of a pod that did not come to us; unlocated: a pod has one and "
        "nobody knows which; unusable: unhealthy or in quarantine.",
        "short",
    )
    query = Query(total(scope.series(GPU_PARTITIONS), ("product", "holder")), "{{cluster}} {{product}} {{holder}}")
    return stacked(caption, query).links([to_runbook("AimGpuCapacityExhausted")])


def fragmentation(number: int, scope: Scope) -> timeseries.Panel:
    """Free memory that is of no use to whoever comes next."""
    caption = Caption(
        number,
        "Fragmentation, by product",
        "Share of the free memory that the expected next claim could not use: free, and in pieces too small, "
        "or on nodes without the CPU for it. Modes count as they are; which of them a claim wants does not.",
        "percentunit",
    )
    query = Query(highest(scope.series(SCHEDULER_FRAGMENTATION), ("product",)), "{{cluster}} {{product}}")
    return graph(caption, query, levels=limit(FRAGMENTED)).max(1).links([to_runbook("AimGpuMemoryFragmented")])
