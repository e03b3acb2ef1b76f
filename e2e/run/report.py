"""The line of JSON that a run ends with, and what it says about success. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

from e2e.run.checks import Fault, mismatches, rebinds, repartitions
from e2e.run.latency import percentile
from e2e.run.services import Service, Standing
from e2e.run.traffic.counted import Counted
from e2e.run.world import World


@dataclass(frozen=True, slots=True)
class Report:
    """`services` are InferenceServices and annotated Deployments: `bound` of them run, `pending` ones do not.

    `kserve` of them, running or not, have their pods from KServe.
    `repartitions`: mode changes that succeeded. `double_allocations`: faults seen at any time. `rebinds`: sum of the
    claims' own count. `mismatches`: claims that say otherwise than the scheduler at the end. Milliseconds from a
    pod's ADDED to its gate's removal, as the watch brought them; None when no pod was released. `counted`: of requests,
    None in a run that sends none.
    """

    plane_ready_s: float
    services: int
    bound: int
    pending: int
    repartitions: int
    double_allocations: int
    rebinds: int
    mismatches: int
    claim_to_bound_p50_ms: float | None
    claim_to_bound_p99_ms: float | None
    kserve: int
    counted: Counted | None = None

    def document(self) -> dict[str, float | int | None]:
        """The fields as JSON has them; those of requests beside the others."""
        own = asdict(self)
        requests = own.pop("counted")
        return own | (requests or dict.fromkeys(field.name for field in fields(Counted)))


def report(
    world: World,
    found: Sequence[Service],
    doubles: Iterable[Fault],
    milliseconds: Sequence[float],
    plane_ready_seconds: float,
    counted: Counted | None = None,
) -> Report:
    """Count what there is."""
    bound = sum(service.standing is Standing.RUNNING for service in found)
    return Report(
        plane_ready_s=round(plane_ready_seconds, 2),
        services=len(found),
        bound=bound,
        pending=len(found) - bound,
        repartitions=repartitions(world),
        double_allocations=len(set(doubles)),
        rebinds=rebinds(world),
        mismatches=len(mismatches(world)),
        claim_to_bound_p50_ms=_rounded(percentile(milliseconds, 50)),
        claim_to_bound_p99_ms=_rounded(percentile(milliseconds, 99)),
        kserve=sum(service.through_kserve for service in found),
        counted=counted,
    )


def faults(world: World, doubles: Iterable[Fault]) -> list[str]:
    """A sentence for everything that makes a run fail however well it settled: nobody else takes devices here."""
    sentences = sorted(map(str, (*doubles, *mismatches(world))))
    again = rebinds(world)
    if again:
        sentences.append(f"claims were bound anew {again} times, though nothing else takes devices here")
    return sentences


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
