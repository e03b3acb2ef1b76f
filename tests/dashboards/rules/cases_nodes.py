"""Cases of agents that are silent, and of hardware that broke."""

from tests.dashboards.rules.cases_memory import FREE, HELD
from tests.dashboards.rules.promtool import Case, Fired, of

HEALTHY = "aim_gpu_partition_healthy"
LOST = (
    "does not renew its Lease: nothing new is placed there, no mode is changed, and nobody knows how its GPUs are. What "
    "runs there goes on."
)
BACKEND = {"backend": "amdsmi", "simulated": "false", "driver": "6.14"}
CASES = [
    Case(
        "AimNodeAgentLost",
        "five minutes without a renewal, until the agent is back",
        {
            of("aim_node_agent_up", node="gpu-a"): "1x5 0x10 1x20",
            of("aim_node_agent_up", node="gpu-b"): "1x60",
        },
        fires={11: [Fired({"node": "gpu-a"}, f"The agent of node gpu-a {LOST}")]},
        silent=(5, 10, 17),
    ),
    Case(
        "AimNodeAgentLost",
        "a node that is taken away within two minutes",
        {of("aim_node_agent_up", node="gpu-a"): "1x5 0 stale"},
        silent=(6, 8, 10, 11, 12),
    ),
    Case(
        "AimNodeAgentLost",
        "the same node's name in two clusters, and none where one cluster has no name",
        {
            of("aim_node_agent_up", node="gpu-a"): "1x60",
            of("aim_node_agent_up", "c2", node="gpu-a"): "0x60",
            of("aim_node_agent_up", "", node="gpu-a"): "0x60",
        },
        fires={
            6: [
                Fired({"node": "gpu-a"}, f"The agent of node gpu-a {LOST}", "c2"),
                Fired({"node": "gpu-a"}, f"The agent of node gpu-a {LOST}", ""),
            ]
        },
    ),
    Case(
        "AimNodeAgentLost",
        "the operator's next leader goes on where the last one ended",
        {
            of("aim_node_agent_up", node="gpu-a", instance="10.0.0.1:8443"): "0x1 stale",
            of("aim_node_agent_up", node="gpu-a", instance="10.0.0.2:8443"): "_x4 0x20",
        },
        fires={5: [Fired({"node": "gpu-a"}, f"The agent of node gpu-a {LOST}")]},
        silent=(4,),
    ),
    Case(
        "AimNodeAgentNotScraped",
        "ten minutes without an agent's metrics, until they are read again",
        {
            of("aim_node_agent_up", node="gpu-a"): "1x60",
            of("aim_node_agent_up", node="gpu-b"): "1x60",
            of("aim_agent_info", node="gpu-a", **BACKEND): "1x5 stale _x16 1x20",
            of("aim_agent_info", node="gpu-b", **BACKEND): "1x60",
            of("aim_agent_info", "c2", node="gpu-a", **BACKEND): "1x60",
        },
        fires={
            17: [
                Fired(
                    {"node": "gpu-a"},
                    "The agent of node gpu-a renews its Lease, and Prometheus has not had its metrics for ten minutes: "
                    "alerts on memory and health of partitions there are silent.",
                )
            ]
        },
        silent=(5, 12, 15, 24),
    ),
    Case(
        "AimNodeAgentNotScraped",
        "a node whose agent is lost is told as that",
        {of("aim_node_agent_up", node="gpu-a"): "1x3 0x60", of("aim_agent_info", node="gpu-a", **BACKEND): "1x3 stale"},
        silent=(8, 14, 40),
    ),
    Case(
        "AimGpuPartitionUnhealthy",
        "a partition that a pod has, until it is well again",
        {
            of(HEALTHY, **HELD): "1x5 0x10 1x20",
            of("aim_agent_hardware_readable", node="gpu-a"): "1x60",
            of("aim_agent_hardware_readable", node="gpu-b"): "0x60",
        },
        fires={
            7: [
                Fired(
                    HELD,
                    "Partition 3 of GPU 0000:05:00.0 on node gpu-a is unhealthy, and claim team/aim-1 of model org/m has "
                    "it.",
                )
            ]
        },
        silent=(5, 6, 17),
    ),
    Case(
        "AimGpuPartitionUnhealthy",
        "a node whose GPUs cannot be read",
        {of(HEALTHY, **HELD): "0x60", of("aim_agent_hardware_readable", node="gpu-a"): "0x60"},
        silent=(2, 30),
    ),
    Case("AimGpuPartitionUnhealthy", "a partition that nobody has", {of(HEALTHY, **FREE): "0x60"}, silent=(2, 30)),
    Case(
        "AimNodePartitionsUnhealthy",
        "one partition for five minutes",
        {
            of("aim_node_unhealthy_partitions", node="gpu-a"): "0x5 1x10 0x20",
            of("aim_node_unhealthy_partitions", node="gpu-b"): "0x60",
            of("aim_agent_hardware_readable", node="gpu-a"): "1x60",
            of("aim_agent_hardware_readable", node="gpu-b"): "0x60",
        },
        fires={
            11: [
                Fired(
                    {"node": "gpu-a"},
                    "GPU partitions of node gpu-a that are unhealthy or missing: 1. Nothing new is placed on them.",
                )
            ]
        },
        silent=(5, 10, 17),
    ),
    Case(
        "AimNodePartitionsUnhealthy",
        "all of a node whose GPUs cannot be read, beside the same node of another cluster",
        {
            of("aim_node_unhealthy_partitions", node="gpu-a"): "0x5 64x60",
            of("aim_agent_hardware_readable", node="gpu-a"): "1x5 0x60",
            of("aim_agent_hardware_readable", "c2", node="gpu-a"): "1x60",
        },
        silent=(5, 11, 30),
    ),
    Case(
        "AimGpuHardwareUnreadable",
        "five minutes without a reading",
        {
            of("aim_agent_hardware_readable", node="gpu-a"): "1x5 0x10 1x20",
            of("aim_agent_hardware_readable", node="gpu-b"): "1x60",
        },
        fires={
            11: [
                Fired(
                    {"node": "gpu-a"},
                    "The agent of node gpu-a lives and has not been able to read its GPUs for five minutes: health and "
                    "use of its partitions are unknown, and no mode is changed there.",
                )
            ]
        },
        silent=(5, 10, 17),
    ),
]
