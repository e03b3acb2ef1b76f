"""Cases of memory that runs out, and of models that were sized wrong."""

from tests.dashboards.rules.promtool import Case, Fired, of

GIB = 1 << 30
HELD = {
    "node": "gpu-a",
    "gpu": "0000:05:00.0",
    "partition": "3",
    "mode": "CPX/NPS4",
    "claim": "aim-1",
    "pod": "chat-0",
    "namespace": "team",
    "service": "chat",
    "model": "org/m",
}
FREE = HELD | {"partition": "4", "claim": "", "pod": "", "namespace": "", "service": "", "model": ""}
SHOWN_FREE = {name: value for name, value in FREE.items() if value}
WHERE = "partition 3 of GPU 0000:05:00.0 on node gpu-a, held by pod team/chat-0,"


def memory(used: str, labels: dict[str, str] = HELD) -> dict[str, str]:
    return {
        of("aim_gpu_partition_memory_bytes", type="used", **labels): used,
        of("aim_gpu_partition_memory_bytes", type="allocated", **labels): "90x60",
        of("aim_gpu_partition_memory_bytes", type="total", **labels): "100x60",
    }


def nearly(share: str, where: str, labels: dict[str, str] = HELD) -> Fired:
    return Fired(
        labels,
        f"{share} of the memory of {where} has been in use for ten minutes, more than engines plan with: the next "
        "allocation may fail.",
    )


def exhausted(share: str) -> Fired:
    return Fired(
        HELD,
        f"{share} of the memory of {WHERE} is in use, as it was before within ten minutes: engines there "
        "fail, or are about to.",
    )


def capacity(share: str) -> Fired:
    return Fired(
        {"product": "MI300X"},
        f"{share} of the usable memory of all MI300X is held, and claims have been waiting for room for 15 minutes.",
    )


def products(held: str, waiting: str, reason: str = "NoFreePartition") -> dict[str, str]:
    return {
        of("aim_scheduler_allocation_ratio", product="MI300X"): held,
        of("aim_scheduler_allocation_ratio", product="MI210"): "0.5x60",
        of("aim_scheduler_pending_claims", namespace="team", reason=reason): waiting,
        of("aim_scheduler_pending_claims", namespace="lab", reason="NoFreePartition"): "0x60",
    }


PROFILE = {"profile": "m", "model": "org/m"}


def sized(observed: str, least: int = 20 * GIB, most: int = 24 * GIB) -> dict[str, str]:
    return {
        of("aim_model_memory_observed_bytes", **PROFILE): observed,
        of("aim_model_memory_estimate_bytes", bound="least", **PROFILE): f"{least}x60",
        of("aim_model_memory_estimate_bytes", bound="most", **PROFILE): f"{most}x60",
        of("aim_model_memory_estimate_bytes", bound="least", profile="n", model="org/n"): f"{GIB}x60",
        of("aim_model_memory_estimate_bytes", bound="most", profile="n", model="org/n"): f"{2 * GIB}x60",
    }


CASES = [
    Case(
        "AimGpuMemoryNearlyExhausted",
        "98 % for ten minutes, until memory is given back",
        memory("90x5 98x15 90x20"),
        fires={16: [nearly("98%", WHERE)], 21: [nearly("98%", WHERE)]},
        silent=(5, 15, 22, 30),
    ),
    Case(
        "AimGpuMemoryNearlyExhausted",
        "of a partition that nobody holds",
        memory("98x60", FREE),
        fires={10: [nearly("98%", "partition 4 of GPU 0000:05:00.0 on node gpu-a", SHOWN_FREE)]},
        silent=(9,),
    ),
    Case("AimGpuMemoryNearlyExhausted", "what engines plan with", memory("96x60"), silent=(9, 10, 30)),
    Case(
        "AimGpuMemoryNearlyExhausted", "a peak of nine minutes", memory("90x5 98x8 90x40"), silent=(10, 14, 15, 16, 30)
    ),
    Case(
        "AimGpuMemoryExhausted",
        "all of it, and for ten minutes after the engine ended",
        memory("90x5 100x2 10x30"),
        fires={7: [exhausted("100%")], 8: [exhausted("100%")], 9: [exhausted("100%")], 18: [exhausted("100%")]},
        silent=(5, 6, 19, 30),
    ),
    Case(
        "AimGpuMemoryExhausted",
        "a loop of restarts: full in one of four readings",
        memory("90x5 100 " + "10x2 100 " * 12 + "10x30"),
        fires={minute: [exhausted("100%")] for minute in (10, 11, 12, 13, 30, 54, 64)},
        silent=(6, 9, 65, 70),
    ),
    Case(
        "AimGpuMemoryExhausted",
        "a loop whose restarts take ten minutes",
        memory("90x5 100 " + "10x8 100 " * 3 + "10x5"),
        fires={16: [exhausted("100%")], 25: [exhausted("100%")], 26: [exhausted("100%")]},
        silent=(6, 15),
    ),
    Case(
        "AimGpuMemoryExhausted",
        "peaks that are twelve minutes apart",
        memory("90x5 100 " + "10x10 100 " * 3 + "10x5"),
        silent=(6, 17, 18, 19, 30, 31),
    ),
    Case("AimGpuMemoryExhausted", "98 % is nearly", memory("98x60"), silent=(2, 30)),
    Case("AimGpuMemoryExhausted", "one reading", memory("90x5 100 90x40"), silent=(6, 7, 8)),
    Case(
        "AimGpuCapacityExhausted",
        "96 % are held and a claim waits, until one is gone",
        products("0.96x60", "0x5 1x20 0x30"),
        fires={21: [capacity("96%")], 26: [capacity("96%")]},
        silent=(5, 20, 27, 40),
    ),
    Case("AimGpuCapacityExhausted", "nobody waits", products("1x60", "0x60"), silent=(15, 30, 59)),
    *(
        Case(
            "AimGpuCapacityExhausted",
            f"who waits: {reason}",
            products("1x60", "0x5 1x60", reason),
            fires={21: [capacity("100%")]},
            silent=(20,),
        )
        for reason in ("NoPartitionFits", "GangDoesNotFit")
    ),
    *(
        Case("AimGpuCapacityExhausted", f"who waits: {reason}", products("1x60", "3x60", reason), silent=(15, 30))
        for reason in ("WaitingForGate", "TooLargeForAnyGPU", "QuotaExceeded", "UnknownModel", "GangIncomplete")
    ),
    Case("AimGpuCapacityExhausted", "a twentieth and more is free", products("0.94x60", "3x60"), silent=(15, 30, 59)),
    Case(
        "AimGpuCapacityExhausted",
        "who waits is in another cluster",
        {
            of("aim_scheduler_allocation_ratio", product="MI300X"): "1x60",
            of("aim_scheduler_pending_claims", "c2", namespace="team", reason="NoFreePartition"): "1x60",
        },
        silent=(15, 30),
    ),
    Case(
        "AimModelMemoryUnderestimated",
        "engines take more than the largest claim asks for, until facts are corrected",
        sized(f"{22 * GIB}x5 {25 * GIB}x20 {22 * GIB}x30"),
        fires={
            21: [
                Fired(
                    PROFILE,
                    "Engines of org/m, ModelProfile m, were seen to take 25GiB, more than its largest claim asks for: "
                    "new ones may get partitions that are too small.",
                )
            ]
        },
        silent=(5, 20, 27),
    ),
    Case("AimModelMemoryUnderestimated", "within the bounds", sized(f"{24 * GIB}x60"), silent=(15, 30)),
    Case("AimModelMemoryUnderestimated", "less than least", sized(f"{2 * GIB}x60"), silent=(15, 30)),
    Case(
        "AimModelMemoryOverestimated",
        "engines take less than weights and runtime are sized at",
        sized(f"{20 * GIB}x5 {15 * GIB}x20 {20 * GIB}x30"),
        fires={
            21: [
                Fired(
                    PROFILE,
                    "Engines of org/m, ModelProfile m, were seen to take 15GiB at most, less than weights and runtime "
                    "alone are sized at: they may hold larger partitions than they need.",
                )
            ]
        },
        silent=(5, 20, 27),
    ),
    Case("AimModelMemoryOverestimated", "within the bounds", sized(f"{22 * GIB}x60"), silent=(15, 30)),
    Case("AimModelMemoryOverestimated", "more than most", sized(f"{30 * GIB}x60"), silent=(15, 30)),
]
