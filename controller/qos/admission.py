"""Whether a request is let wait: what it would cost, how long it would wait, and who has to leave for it."""

from typing import Final

from controller.qos.place import Model
from controller.qos.request import Request

# Pods of one model are alike: of so many one has seen a prompt of the size, or it is a rare one.
_ASKED: Final = 4


def predicted_cost(request: Request, model: Model, output_weight: float) -> float:
    """Tokens that it will probably take, where those that are generated count by their weight."""
    output, most = model.estimates.output, request.output_limit
    if most is not None and most < output:
        output = most
    return request.prompt_tokens + output_weight * output


def generated_meanwhile(model: Model, held: float, output_weight: float) -> float:
    """What one whose tokens were not counted costs more than was predicted, for holding its seat `held` seconds.

    It pays for as much as others generate in such a time: else who hangs up just before the end of a long answer would
    have paid for a short one.
    """
    usual = model.estimates
    if not 0 < usual.service < held:
        return 0.0
    return output_weight * usual.output * (held / usual.service - 1)


def predicted_wait(request: Request, model: Model, at: int) -> float:
    """Seconds until a new request of the class at this index has a seat, at the pace at which others end now."""
    ahead = sum(queue.count for queue in model.queues[:at])
    if request.deadline is not None:
        ahead += model.queues[at].ahead_of(request.tenant, request.deadline)
    return model.estimates.wait(ahead, max(model.in_flight, model.minimum()))


def drained_in(model: Model) -> float:
    """Seconds until all that waits for the model now is served, at the pace at which its requests end."""
    return model.estimates.wait(model.waiting, max(model.in_flight, model.minimum()))


def too_late_by(request: Request, model: Model, now: float, wait: float) -> float:
    """By how many seconds its first byte misses its deadline if it waits `wait` seconds more; 0 or less: it does not.

    While nothing of the model is in flight nothing contradicts what was learnt, so that is not believed: else a model
    that was slow once would be refused for ever.
    """
    if request.deadline is None:
        return 0.0
    return now - request.deadline + (wait + _first_byte(request, model) if model.in_flight else 0.0)


def _first_byte(request: Request, model: Model) -> float:
    """What prompts of its size take as a rule, or the model's prompts of all sizes where none of it was seen.

    One tenant's long prompts say nothing about another's short one.
    """
    for place in model.places[:_ASKED]:
        usual = place.usual.of(request.prompt_tokens)
        if usual > 0:
            return usual
    return model.estimates.first_byte


def displaced_by(request: Request, model: Model, at: int, levels: list[int]) -> Request | None:
    """Who leaves a full queue for a new request of the class at this index; None: nobody does, it stays out itself.

    The last one of the worst class that waits, if that is worse than the new one's; within its own rank the last one of
    a tenant that has more waiting than the new one's would have, so that nobody can fill the queue against others.
    """
    for other in range(len(levels) - 1, -1, -1):
        queue = model.queues[other]
        if queue.count == len(queue.returned):
            continue
        if levels[other] != levels[at]:
            return queue.tail(0) if levels[other] > levels[at] else None
        flow = queue.flows.get(request.tenant)
        return queue.tail(1 + (flow.waiting if flow is not None else 0))
    return None
