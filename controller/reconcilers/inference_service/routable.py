"""Whether requests find a service by the names it goes by, and whether it can be given what it is guaranteed. Pure."""

from collections.abc import Iterable

from api.v1beta1 import InferenceService
from controller.reconcilers.inference_service.status import Verdict
from controller.translate.guarantees import CAPACITY, OUT_OF_REACH, out_of_reach
from controller.translate.request import Problem

#: Services that are named as going by the same name, at most.
_NAMED = 3


def duplicate(key: str, shared: Iterable[tuple[str, list[str]]]) -> Verdict | None:
    """The condition Routable where it is False: another service of the namespace goes by one of its names."""
    for name, others in shared:
        named = [other.partition("/")[2] for other in others]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        return (
            "False",
            "DuplicateModel",
            f"requests for model {name} are refused, for {', '.join(named[:_NAMED])}{more} of this namespace"
            f" {'goes' if len(named) == 1 else 'go'} by that name, too: ask for model {key}, or have one go by it",
        )
    return None


def guaranteed(service: InferenceService, concurrency: int | None, crowded: Problem | None = None) -> Verdict | None:
    """The condition Guaranteed where it is False.

    `concurrency` of a pod, None where it cannot be sized; `crowded`: the problem of what others beside it are promised.
    """
    problem = out_of_reach(service, concurrency) if concurrency is not None else None
    if problem is not None:
        return "False", OUT_OF_REACH, str(problem)
    return None if crowded is None else ("False", CAPACITY, str(crowded))
