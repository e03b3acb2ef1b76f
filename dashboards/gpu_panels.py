"""GPUs: how hot, how busy, how healthy, and which there are. Of whole GPUs, whatever partitions they have."""

from grafana_foundation_sdk.builders import statetimeline, timeseries

from controller.telemetry.instruments import (
    AGENT_HARDWARE_READABLE,
    AGENT_INFO,
    GPU_ECC_ERRORS,
    GPU_INFO,
    GPU_PARTITIONS_MISSING,
    GPU_POWER,
    GPU_PROCESSES,
    GPU_TEMPERATURE,
)
from dashboards.board import Section
from dashboards.levels import BAD, GOOD, rising
from dashboards.links import PARTITIONS, of_row, to_runbook
from dashboards.panels import HALF, Caption, Query, events, graph, timeline
from dashboards.promql import Scope, amount, highest, labelled, lowest, per_minute, top, total
from dashboards.tables import Figure, Key, grid

#: Degrees Celsius that are much for a sensor. No alert: which are too many differs by product and sensor.
HOT = rising(90, 100)


GPU = ("node", "gpu")
NAME = "{{cluster}} {{node}} {{gpu}}"


def hardware(number: int, scope: Scope) -> Section:
    """How each GPU fares."""
    return Section(number, "GPUs", [*_load(number, scope), *_faults(number + 3, scope)])


def _load(number: int, scope: Scope) -> list[timeseries.Panel]:
    temperature = Caption(number + 1, "Temperature, hottest GPUs", "The ten hottest sensors.", "celsius")
    power = Caption(
        number + 2, "Power, by GPU", "The ten GPUs that draw most, all partitions of each together.", "watt"
    )
    open_by = Caption(
        number + 3,
        "Processes that have a GPU open",
        "The ten GPUs with most. A mode change needs none: what stays open keeps it waiting in Quiescing.",
        "short",
    )
    hottest = highest(scope.series(GPU_TEMPERATURE), (*GPU, "sensor"))
    return [
        graph(temperature, Query(top(10, hottest), f"{NAME} {{{{sensor}}}}"), levels=HOT),
        graph(power, Query(top(10, total(scope.series(GPU_POWER), GPU)), NAME)),
        graph(open_by, Query(top(10, total(scope.series(GPU_PROCESSES), GPU)), NAME)),
    ]


def _faults(number: int, scope: Scope) -> list[timeseries.Panel | statetimeline.Panel]:
    errors = Caption(
        number + 1,
        "Memory errors, by GPU and severity",
        "ECC errors in a minute. Corrected ones are harmless while few; an uncorrectable one has ended what ran "
        "there, and marks the partition unhealthy. Nothing to show is good.",
        "cpm",
    )
    gone = Caption(
        number + 2,
        "Partitions that the driver does not show",
        "GPUs whose mode has more partitions than their driver shows. Nothing to show is good.",
        "short",
    )
    readable = Caption(
        number + 3,
        "Hardware that can be read",
        "Whether each node's agent could read its GPUs at its last try. While it cannot, what is measured of the node "
        "is absent, not old.",
        "short",
    )
    counted = total(per_minute(scope.series(GPU_ECC_ERRORS)), (*GPU, "severity"))
    absent = total(scope.series(GPU_PARTITIONS_MISSING), GPU)
    could = lowest(scope.series(AGENT_HARDWARE_READABLE), ("node",))
    states = {1: ("readable", GOOD), 0: ("not readable", BAD)}
    return [
        events(errors, Query(f"{counted} > 0", f"{NAME} {{{{severity}}}}")).links(
            [to_runbook("AimGpuPartitionUnhealthy")]
        ),
        graph(gone, Query(f"{absent} > 0", NAME)).links([to_runbook("AimNodePartitionsUnhealthy")]),
        timeline(readable, Query(could, "{{cluster}} {{node}}"), states).links(
            [to_runbook("AimGpuHardwareUnreadable")]
        ),
    ]


def inventory(number: int, scope: Scope) -> Section:
    """What there is, and who tells of it."""
    gpus = Caption(number + 1, "GPUs", "Each GPU with its product, its present mode and what it has open.", "short")
    agents = Caption(
        number + 2,
        "Agents",
        "Where each node's figures come from, and the driver's version. Simulated: no GPU is real.",
        "short",
    )
    products = ("node", "gpu", "product", "mode")
    info = highest(scope.series(GPU_INFO), products)
    open_now = labelled(total(scope.series(GPU_PROCESSES), ("node", "gpu")), info, ("node", "gpu"), "product", "mode")
    node = of_row("Only this node", PARTITIONS, "node")
    gpu_keys = [Key("cluster", "Cluster"), Key("node", "Node", node), Key("gpu", "GPU")]
    gpu_keys += [Key("product", "Product"), Key("mode", "Mode")]
    agent_keys = [Key("cluster", "Cluster"), Key("node", "Node", node), Key("backend", "Read by")]
    agent_keys += [Key("driver", "Driver"), Key("simulated", "Simulated")]
    told = amount(scope.series(AGENT_INFO), ("node", "backend", "driver", "simulated"))
    panels = [
        grid(gpus, gpu_keys, [Figure("GPUs", info, "short"), Figure("Processes", open_now, "short")]).span(HALF),
        grid(agents, agent_keys, [Figure("Agents", told, "short")]).span(HALF),
    ]
    return Section(number, "GPUs and agents", panels)
