"""What each GPU partition does: its memory, its compute units, who has it, how its GPU fares, and what is charged."""

from grafana_foundation_sdk.builders import bargauge
from grafana_foundation_sdk.models.dashboard import Dashboard

from controller.telemetry.instruments import (
    GPU_PARTITIONS_MISSING,
    GPU_POWER,
    GPU_TEMPERATURE,
    PARTITION_HEALTH,
    PARTITION_MEMORY,
    PARTITION_UTILIZATION,
    USAGE_BYTE_SECONDS,
    USAGE_PARTITION_SECONDS,
)
from dashboards import gpu_panels
from dashboards.board import About, Section, board
from dashboards.capacity_panels import NEARLY_FULL
from dashboards.gpu_panels import HOT
from dashboards.levels import NONE_IS_GOOD, ONE_IS_GOOD, PLAIN, falling, rising
from dashboards.links import MODELS, PARTITIONS, of_line, of_row, to_runbook
from dashboards.panels import HALF, Caption, Query, bars, graph, now, with_link
from dashboards.promql import (
    CLUSTER,
    RANGE,
    SOME,
    Scope,
    amount,
    bottom,
    highest,
    increase,
    lowest,
    mean,
    missed,
    rate,
    top,
    total,
)
from dashboards.rules.memory import EXHAUSTED, NEARLY
from dashboards.rules.recording import HOLDER, MEMORY_USED
from dashboards.tables import Figure, Key, Order, grid
from dashboards.variables import choices

SCOPE = Scope((CLUSTER, "node", "namespace", "service"))
ABOUT = About(
    PARTITIONS,
    "AIM GPU sharing / Partitions",
    "What each GPU partition does: memory, compute units, who has it, how its GPU fares, what is charged.",
)
#: What tells partitions apart; and what is known of who holds each.
PLACE = ("node", "gpu", "partition")
HELD_BY = (*PLACE, "mode", "namespace", "service")
SERVICE = ("namespace", "service")
#: Of a partition's memory. An engine fills what it was given, so much of it is normal; the rest is for what it did not
#: foresee, and where nothing is left its next allocation fails.
FILLED = rising(NEARLY, EXHAUSTED)


def dashboard() -> Dashboard:
    """The dashboard."""
    variables = choices({name: [PARTITION_HEALTH] for name in (CLUSTER, "node", "namespace", "service")})
    return board(
        ABOUT,
        variables,
        [
            _now(),
            _memory(),
            _compute(),
            _table(),
            gpu_panels.hardware(500, SCOPE),
            gpu_panels.inventory(600, SCOPE),
            _use(),
        ],
    )


def memory(scope: Scope, kind: str, by: tuple[str, ...]) -> str:
    """Bytes of one type, summed apart by these labels."""
    return total(scope.series(PARTITION_MEMORY, type=kind), by)


def _now() -> Section:
    shown = Caption(101, "Partitions", "Partitions that agents report, of what is chosen above.", "short")
    ill = Caption(102, "Unhealthy", "Partitions that their agents call unhealthy.", "short")
    used = Caption(
        103, "Memory used", "Bytes in use over all bytes, of partitions whose use is measured.", "percentunit"
    )
    allocated = Caption(104, "Memory allocated", "Bytes that claims were sized at, over all bytes.", "percentunit")
    busy = Caption(105, "Busy", "Mean share of compute units that are busy, of held partitions.", "percentunit")
    power = Caption(106, "Power", "What the GPUs draw together.", "watt")
    hot = Caption(107, "Hottest sensor", "The highest of all temperatures.", "celsius")
    missing = Caption(108, "Missing", "Partitions that a GPU's mode has and its driver does not show.", "short")
    whole, in_use = (SCOPE.series(PARTITION_MEMORY, type=kind) for kind in ("total", "used"))
    measured = total(f"{whole} and on (cluster, node, gpu, partition) {in_use}", ())
    panels = [
        now(shown, Query(amount(SCOPE.series(PARTITION_HEALTH), ())), PLAIN),
        now(ill, Query(total(missed(SCOPE.series(PARTITION_HEALTH)), ())), NONE_IS_GOOD).links(
            [to_runbook("AimGpuPartitionUnhealthy")]
        ),
        now(used, Query(f"{memory(SCOPE, 'used', ())} / {measured}"), PLAIN),
        now(allocated, Query(f"{memory(SCOPE, 'allocated', ())} / {memory(SCOPE, 'total', ())}"), NEARLY_FULL),
        now(busy, Query(mean(SCOPE.series(PARTITION_UTILIZATION, claim=SOME), ())), PLAIN),
        now(power, Query(total(SCOPE.series(GPU_POWER), ())), PLAIN),
        now(hot, Query(highest(SCOPE.series(GPU_TEMPERATURE), ())), HOT),
        now(missing, Query(total(SCOPE.series(GPU_PARTITIONS_MISSING), ())), NONE_IS_GOOD).links(
            [to_runbook("AimNodePartitionsUnhealthy")]
        ),
    ]
    return Section(100, "Now", panels)


def fullest(number: int, scope: Scope) -> bargauge.Panel:
    """Where the next allocation fails first."""
    caption = Caption(
        number,
        "Fullest partitions",
        "Memory in use over the partition's memory, as recorded, the ten fullest that somebody holds. An engine takes "
        "most of what it was given at its start; one that goes on growing runs out.",
        "percentunit",
    )
    filled = highest(scope.recorded(MEMORY_USED, HOLDER, claim=SOME), HELD_BY)
    query = Query(top(10, filled), "{{cluster}} {{namespace}}/{{service}} {{node}} {{gpu}} {{partition}}")
    links = [to_runbook("AimGpuMemoryNearlyExhausted"), to_runbook("AimGpuMemoryExhausted")]
    return bars(caption, query, FILLED).links(links)


def _memory() -> Section:
    kinds = Caption(
        202,
        "Memory, by type",
        "total: what the partitions have; allocated: what claims were sized at; used: what devices report. An engine "
        "takes what its partition lets it have, most of it for its KV cache, so what is used is no measure of need.",
        "bytes",
    )
    services = Caption(
        203,
        "Memory used, by service",
        "The ten services that use most. What no service has is left out.",
        "bytes",
    )
    spare = Caption(
        204,
        "Held beyond what was sized, by service",
        "Bytes of held partitions beyond what claims were sized at, the ten services with most: larger partitions "
        "than they need. Engines fill them with KV cache; smaller partitions would leave them to others.",
        "bytes",
    )
    by_service = total(SCOPE.series(PARTITION_MEMORY, type="used", service=SOME), SERVICE)
    held, sized = (
        total(SCOPE.series(PARTITION_MEMORY, type=kind, service=SOME), SERVICE) for kind in ("total", "allocated")
    )
    line = of_line("Requests of the service", MODELS, *SERVICE)
    legend = "{{cluster}} {{namespace}}/{{service}}"
    panels = [
        fullest(201, SCOPE),
        graph(kinds, Query(total(SCOPE.series(PARTITION_MEMORY), ("type",)), "{{cluster}} {{type}}")),
        with_link(graph(services, Query(top(10, by_service), legend)), line),
        with_link(graph(spare, Query(top(10, f"{held} - {sized}"), legend)), line),
    ]
    return Section(200, "Memory", panels)


def _compute() -> Section:
    busy = Caption(
        301,
        "Busy compute units, by service",
        "Mean over the partitions of a service, as devices measure it; the ten busiest services.",
        "percentunit",
    )
    idle = Caption(
        302,
        "Held and idle",
        "Partitions that somebody holds and hardly uses: the least busy ten over the chosen time. Candidates for fewer "
        "replicas or a share group.",
        "percentunit",
    )
    by_service = mean(SCOPE.series(PARTITION_UTILIZATION, service=SOME), SERVICE)
    over_time = f"avg_over_time({SCOPE.series(PARTITION_UTILIZATION, claim=SOME)}[{RANGE}])"
    panels = [
        with_link(
            graph(busy, Query(top(10, by_service), "{{cluster}} {{namespace}}/{{service}}")).max(1),
            of_line("Requests of the service", MODELS, *SERVICE),
        ),
        bars(
            idle,
            Query(
                bottom(10, highest(over_time, HELD_BY)),
                "{{cluster}} {{namespace}}/{{service}} {{node}} {{gpu}} {{partition}}",
            ),
            falling(0.05, 0.2),
        ),
    ]
    return Section(300, "Compute units", panels)


def _table() -> Section:
    caption = Caption(
        401,
        "All partitions",
        "Each partition of what is chosen above, with who holds it. Without namespace: free, or held by nobody that "
        "came to us. In a large cluster choose nodes or services first. Click on a service for its requests.",
        "short",
    )
    requests = of_row("Requests of the service", MODELS, *SERVICE)
    keys = [
        Key("cluster", "Cluster"),
        Key("node", "Node", of_row("Only this node", PARTITIONS, "node")),
        Key("gpu", "GPU"),
        Key("partition", "Partition"),
        Key("mode", "Mode"),
        Key("namespace", "Namespace"),
        Key("service", "Service", requests),
        Key("model", "Model"),
        Key("pod", "Pod"),
    ]
    labels = tuple(key.label for key in keys if key.label != CLUSTER)
    used, whole, allocated = (
        highest(SCOPE.series(PARTITION_MEMORY, type=kind), labels) for kind in ("used", "total", "allocated")
    )
    figures = [
        Figure("Total", whole, "bytes"),
        Figure("Allocated", allocated, "bytes"),
        Figure("Used", used, "bytes"),
        Figure("Filled", f"{used} / {whole}", "percentunit", FILLED, gauge=True),
        Figure("Busy", highest(SCOPE.series(PARTITION_UTILIZATION), labels), "percentunit", PLAIN, gauge=True),
        Figure("Healthy", lowest(SCOPE.series(PARTITION_HEALTH), labels), "bool_yes_no", ONE_IS_GOOD),
    ]
    return Section(400, "Partitions", [grid(caption, keys, figures, Order("Filled")).height(14)])


def _use() -> Section:
    charged = Caption(
        701,
        "Use, by namespace and service",
        "What each service held in the chosen time: hours of partitions, each counted, and GiB of their memory times "
        "hours. Held, not used: that is what others could not have.",
        "short",
    )
    held = Caption(
        702, "Partitions held, by namespace", "How many partitions each namespace holds, on average.", "short"
    )
    keys = [Key("cluster", "Cluster"), Key("namespace", "Namespace"), Key("service", "Service"), Key("model", "Model")]
    by = ("namespace", "service", "model")
    hours = f"{total(increase(SCOPE.series(USAGE_PARTITION_SECONDS), RANGE), by)} / 3600"
    gibibytes = f"{total(increase(SCOPE.series(USAGE_BYTE_SECONDS), RANGE), by)} / (3600 * 1024^3)"
    figures = [Figure("Partition hours", hours, "none"), Figure("GiB hours", gibibytes, "none")]
    rates = total(rate(SCOPE.series(USAGE_PARTITION_SECONDS)), ("namespace",))
    panels = [
        grid(charged, keys, figures, Order("GiB hours")).span(HALF),
        graph(held, Query(rates, "{{cluster}} {{namespace}}")),
    ]
    return Section(700, "Use, for charging", panels)
