"""The dispatcher of requests: who gets the next free seat of a partition, who waits, and who is refused.

Everything is decided within the calls below, which say the time; their outcome comes by two callbacks, maybe before the
call returns. No clock, no I/O, no waiting.
"""

from collections.abc import Callable

from controller.qos.refusal import (
    NO_ENDPOINT,
    QUEUE_FULL,
    QUEUE_TIMEOUT,
    UNKNOWN_CLASS,
    UNKNOWN_MODEL,
    Refusal,
    refusal,
)
from controller.qos.request import DONE, IN_FLIGHT, NEW, QUEUED, Request
from controller.qos.settings import Member, ModelSettings, QoSSettings
from controller.qos.statistics import ModelStatistics, PartitionStatistics, QoSStatistics


class QoSManager:
    """Decides for all partitions of one process.

    `on_dispatch(request, member)`: send it there now. `on_refuse(request, refusal)`: answer with that, it is over. Both
    may call back into the manager. `jitter`: a number from 0 up to 1, another one each time.

    Each request that arrived ends exactly once: by `on_refuse`, `complete` or `cancel`.
    """

    def __init__(
        self,
        settings: QoSSettings,
        now: float,
        *,
        on_dispatch: Callable[[Request, Member], None],
        on_refuse: Callable[[Request, Refusal], None],
        jitter: Callable[[], float],
    ) -> None:
        self._on_dispatch, self._on_refuse, self._jitter = on_dispatch, on_refuse, jitter
        self._queues: dict[str, list[Request]] = {}
        self._avoided: dict[Request, frozenset[str]] = {}
        self._members: dict[str, Member] = {}
        self._partition_of: dict[str, str] = {}
        self._busy: dict[str, int] = {}
        self._models: dict[str, int] = {}
        self.configure(settings, now)

    def arrive(self, request: Request, now: float) -> None:
        """A new request: it is dispatched at once, waits, or is refused. ValueError for one that arrived before."""
        if request.state != NEW:
            raise ValueError(f"request in state {request.state} arrives: one arrives once, as {NEW}")
        model = self._settings.models.get(request.model)
        if model is None:
            self._refuse(request, refusal(UNKNOWN_MODEL, f"no settings for {request.model}"))
        elif request.qos_class not in self._ranks:
            self._refuse(request, refusal(UNKNOWN_CLASS, f"no class {request.qos_class}"))
        elif not any(one.ready for one in self._members.values() if one.model == request.model):
            self._refuse(request, refusal(NO_ENDPOINT, f"no Ready pod of {request.model}", self._after()))
        else:
            request.state = QUEUED
            self._queues.setdefault(request.model, []).append(request)
            self._serve(now)
            if request.state == QUEUED and len(self._queues[request.model]) > model.queue_length:
                self._queues[request.model].remove(request)
                self._refuse(request, refusal(QUEUE_FULL, f"{model.queue_length} wait", self._after()))

    def first_byte(self, request: Request, now: float) -> None:
        """The first byte of the answer has come."""

    def complete(
        self,
        request: Request,
        now: float,
        *,
        prompt_tokens: int | None = None,  # noqa: ARG002
        output_tokens: int | None = None,  # noqa: ARG002
        overloaded: bool = False,  # noqa: ARG002
    ) -> None:
        """A request in flight is over, well or not; its seat goes to the next one.

        `prompt_tokens`, `output_tokens`: what it really had; None: not known. `overloaded`: the engine refused it or
        did not answer in time. ValueError for one that is not in flight.
        """
        self._leave(request)
        request.state = DONE
        self._serve(now)

    def give_back(self, request: Request, now: float, *, avoid: frozenset[str]) -> None:
        """A request in flight of which no byte came: its seat is free, and it waits again, as the first of its flow.

        `avoid`: the endpoints that it is not sent to any more; refused when no other Ready one is left. ValueError for
        one that is not in flight.
        """
        self._leave(request)
        request.state = QUEUED
        self._avoided[request] = avoid
        self._queues.setdefault(request.model, []).insert(0, request)
        if not any(
            one.ready and one.endpoint not in avoid for one in self._members.values() if one.model == request.model
        ):
            self._queues[request.model].remove(request)
            self._refuse(request, refusal(NO_ENDPOINT, f"no other Ready pod of {request.model}", self._after()))
        self._serve(now)

    def cancel(self, request: Request, now: float) -> None:
        """The client is gone. The request ends here in any state; nothing happens to one that has ended."""
        if request.state == QUEUED:
            self._queues[request.model].remove(request)
        elif request.state == IN_FLIGHT:
            self._leave(request)
        request.state = DONE
        self._serve(now)

    def configure(self, settings: QoSSettings, now: float) -> None:
        """Other settings from now on. ValueError that names what is wrong with them; then the old ones stay.

        Requests in flight stay in flight, also where their pod is gone. Those that wait keep their place; those whose
        model is gone are refused, those whose model has no Ready pod any more wait for one until their time is over.
        """
        wrong = settings.validated()
        if wrong:
            raise ValueError("; ".join(wrong))
        self._settings = settings
        self._ranks = {one.name: one.rank for one in settings.classes}
        self._members = {one.endpoint: one for part in settings.partitions.values() for one in part.members}
        self._partition_of |= {
            one.endpoint: part.partition for part in settings.partitions.values() for one in part.members
        }
        for key in [key for key in self._queues if key not in settings.models]:
            for request in self._queues.pop(key):
                self._refuse(request, refusal(UNKNOWN_MODEL, f"{key} is gone"))
        self._serve(now)

    def advance(self, now: float) -> float | None:
        """What is due by the time: who has waited too long is refused. Returns when to call it next; None: not yet."""
        due: list[float] = []
        for key, queue in self._queues.items():
            timeout = self._settings.models[key].queue_timeout
            for request in [one for one in queue if one.arrived + timeout <= now]:
                queue.remove(request)
                self._refuse(request, refusal(QUEUE_TIMEOUT, f"waited {timeout:g}s", self._after()))
            due += [one.arrived + timeout for one in queue]
        return min(due, default=None)

    def statistics(self) -> QoSStatistics:
        """Counts and sizes as they are now."""
        partitions = {
            key: PartitionStatistics(key, self._seats(key), self._seats(key), self._in_flight(key))
            for key in self._settings.partitions
        }
        models = {key: self._model_statistics(one) for key, one in self._settings.models.items()}
        return QoSStatistics(partitions, models)

    def _model_statistics(self, model: ModelSettings) -> ModelStatistics:
        in_flight, queue = self._models.get(model.model, 0), self._queues.get(model.model, [])
        queued = {name: sum(one.qos_class == name for one in queue) for name in self._ranks}
        lent, borrowed = max(0, model.minimum - in_flight), max(0, in_flight - model.minimum)
        return ModelStatistics(model.model, queued, in_flight, model.minimum, lent, borrowed, 0, 0, 0, 0, 0)

    def _seats(self, partition: str) -> int:
        found = self._settings.partitions[partition]
        return found.seats or sum(one.seats for one in found.members if one.ready)

    def _in_flight(self, partition: str) -> int:
        return sum(count for key, count in self._busy.items() if self._partition_of[key] == partition)

    def _serve(self, now: float) -> None:
        """Fill free seats, best class first."""
        waiting = [one for queue in self._queues.values() for one in queue]
        for request in sorted(waiting, key=lambda one: (self._ranks.get(one.qos_class, 0), one.arrived)):
            member = self._free(request) if request.state == QUEUED else None
            if member is not None:
                self._queues[request.model].remove(request)
                self._busy[member.endpoint] = self._busy.get(member.endpoint, 0) + 1
                self._models[request.model] = self._models.get(request.model, 0) + 1
                request.state, request.member, request.dispatched = IN_FLIGHT, member, now
                self._on_dispatch(request, member)

    def _free(self, request: Request) -> Member | None:
        maximum = self._settings.models[request.model].maximum
        if maximum is not None and self._models.get(request.model, 0) >= maximum:
            return None
        avoid = self._avoided.get(request, frozenset())
        for one in self._members.values():
            partition = self._partition_of[one.endpoint]
            fits = self._busy.get(one.endpoint, 0) < one.seats and self._in_flight(partition) < self._seats(partition)
            if one.model == request.model and one.ready and one.endpoint not in avoid and fits:
                return one
        return None

    def _leave(self, request: Request) -> None:
        if request.state != IN_FLIGHT or request.member is None:
            raise ValueError(f"request in state {request.state} ends its flight: only one in flight can")
        self._busy[request.member.endpoint] -= 1
        self._models[request.model] -= 1

    def _refuse(self, request: Request, why: Refusal) -> None:
        request.state = DONE
        self._on_refuse(request, why)

    def _after(self) -> float:
        return 1.0 + self._jitter()
