"""Cases of claims that wait, of free memory in pieces, and of mode changes."""

from tests.dashboards.rules.promtool import Case, Fired, of

AGE = "aim_repartition_phase_age_seconds"


def waits(reason: str, age: str, namespace: str = "team") -> dict[str, str]:
    return {of("aim_scheduler_oldest_pending_seconds", namespace=namespace, reason=reason): age}


def waited(age: str, reason: str, namespace: str = "team") -> Fired:
    text = f"A claim in namespace {namespace} has been waiting for a partition for {age}: {reason}."
    return Fired({"namespace": namespace}, text)


def pieces(share: str, held: str) -> dict[str, str]:
    return {
        of("aim_scheduler_fragmentation_ratio", product="MI300X"): share,
        of("aim_scheduler_allocation_ratio", product="MI300X"): held,
        of("aim_scheduler_fragmentation_ratio", product="MI210"): "0.1x150",
        of("aim_scheduler_allocation_ratio", product="MI210"): "0.1x150",
    }


def hangs(phase: str, ages: str, at: int, age: str, *, silent: tuple[int, ...]) -> Case:
    told = Fired(
        {"node": "gpu-a", "phase": phase},
        f"A RepartitionPlan of node gpu-a has been in phase {phase} for {age}, longer than that phase may last: the "
        "operator does not get on with it.",
    )
    series = {of(AGE, node="gpu-a", phase=phase): ages, of(AGE, node="gpu-b", phase=phase): "0x60"}
    return Case("AimRepartitionStuck", phase, series, fires={at: [told]}, silent=silent)


def operations(operation: str, result: str, counts: str) -> dict[str, str]:
    labels = {"operation": operation, "result": result}
    return {of("aim_scheduler_operations_total", instance="10.0.0.1:8443", **labels): counts}


BACK = Fired(
    {},
    "In the last 30 minutes a RepartitionPlan failed after it had begun to change GPUs, and they were put back into "
    "their former modes. `kubectl get repartitionplans -o wide` tells on which node, and why.",
)
CASES = [
    Case(
        "AimClaimsWait",
        "a quarter of an hour, until there is a place",
        waits("NoFreePartition", "0+60x25 _ 0x10"),
        fires={17: [waited("17m 0s", "NoFreePartition")]},
        silent=(10, 16, 30),
    ),
    Case(
        "AimClaimsWait",
        "one alert a namespace, whatever the reasons are by then, and the text has that of the longest wait",
        waits("NoFreePartition", "0+60x20 stale _x4 1560+60x10")
        | waits("NoPartitionFits", "_x21 1260+60x3 stale")
        | waits("QuotaExceeded", "0+30x35")
        | waits("QuotaExceeded", "0+60x35", "lab"),
        fires={
            20: [waited("20m 0s", "NoFreePartition"), waited("20m 0s", "QuotaExceeded", "lab")],
            22: [waited("22m 0s", "NoPartitionFits"), waited("22m 0s", "QuotaExceeded", "lab")],
            30: [waited("30m 0s", "NoFreePartition"), waited("30m 0s", "QuotaExceeded", "lab")],
        },
        silent=(16,),
    ),
    Case(
        "AimClaimsWait",
        "two hours at another gate do not count",
        waits("WaitingForGate", "0+60x120 stale") | waits("DividingFirst", "_x121 0+60x40"),
        fires={138: [waited("17m 0s", "DividingFirst")]},
        silent=(120, 123, 130, 137),
    ),
    Case(
        "AimClaimsWait", "others come and go", waits("NoFreePartition", "0+60x14 0+60x14 0+60x14"), silent=(14, 29, 44)
    ),
    Case("AimClaimsWait", "another gate", waits("WaitingForGate", "0+60x60"), silent=(17, 60)),
    Case(
        "AimGpuMemoryFragmented",
        "an hour in which most free memory is in pieces",
        pieces("0.2x5 0.6x70 0.2x60", "0.7x150"),
        fires={
            66: [
                Fired(
                    {"product": "MI300X"},
                    "For an hour the expected next claim could not have used 60% of the free memory of all MI300X.",
                )
            ]
        },
        silent=(5, 65, 77),
    ),
    Case("AimGpuMemoryFragmented", "little is free", pieces("1x150", "0.95x150"), silent=(60, 90, 149)),
    Case("AimGpuMemoryFragmented", "less than half", pieces("0.4x150", "0.1x150"), silent=(60, 90, 149)),
    hangs("Draining", "0+60x20 _ 0x60", 13, "13m 0s", silent=(9, 12, 25)),
    hangs("Quiescing", "0+60x10 _ 0x60", 4, "4m 0s", silent=(2, 3, 15)),
    hangs("Applying", "0+60x20 _ 0x60", 13, "13m 0s", silent=(9, 12, 25)),
    hangs("Reloading", "0+60x40 _ 0x60", 24, "24m 0s", silent=(19, 23, 45)),
    hangs("Verifying", "0+60x10 _ 0x60", 7, "7m 0s", silent=(4, 6, 15)),
    hangs("RollingBack", "0+60x60 _ 0x60", 35, "35m 0s", silent=(28, 34, 65)),
    hangs("Closing", "0+60x60 _ 0x60", 35, "35m 0s", silent=(28, 34, 65)),
    Case(
        "AimRepartitionStuck",
        "an approval has no deadline",
        {of(AGE, node="gpu-a", phase="AwaitingApproval"): "0+60x60"},
        silent=(13, 60),
    ),
    Case(
        "AimRepartitionRolledBack",
        "once, told for half an hour",
        operations("repartition", "RolledBack", "0x10 1x60"),
        fires={11: [BACK], 40: [BACK]},
        silent=(10, 41, 60),
    ),
    Case(
        "AimRepartitionRolledBack",
        "changes that succeed",
        operations("repartition", "Succeeded", "0+1x60"),
        silent=(30,),
    ),
    Case("AimRepartitionRolledBack", "what else is done", operations("bind", "RolledBack", "0+1x60"), silent=(30,)),
    Case("AimRepartitionRolledBack", "long ago", operations("repartition", "RolledBack", "7x60"), silent=(1, 30, 60)),
    Case(
        "AimRepartitionDegraded",
        "a node whose way back failed, until a person mended it",
        {of("aim_repartition_degraded_plans", node="gpu-a"): "_x6 1x10 stale"},
        fires={
            7: [
                Fired(
                    {"node": "gpu-a"},
                    "GPUs of node gpu-a are in modes that nobody asked for: the plan's condition Degraded says what a "
                    "person has to do.",
                )
            ]
        },
        silent=(5, 6, 25),
    ),
    Case(
        "AimRepartitionDegraded",
        "no plan is",
        {of("aim_repartition_degraded_plans", node="gpu-a"): "0x60"},
        silent=(5, 30),
    ),
    Case(
        "AimRepartitionAwaitsApproval",
        "four hours, until somebody approves",
        {
            of(AGE, node="gpu-a", phase="AwaitingApproval"): "0+60x300 _x60",
            of(AGE, node="gpu-a", phase="Draining"): "_x300 0+60x60",
        },
        fires={
            242: [
                Fired(
                    {"node": "gpu-a", "phase": "AwaitingApproval"},
                    "A RepartitionPlan of node gpu-a has been waiting for a person's approval for 4h 2m 0s, and so have "
                    "the claims that would get a place by it.",
                )
            ]
        },
        silent=(121, 241, 310),
    ),
    Case(
        "AimRepartitionAwaitsApproval",
        "another phase",
        {of(AGE, node="gpu-a", phase="RollingBack"): "0+60x250"},
        silent=(245,),
    ),
]
