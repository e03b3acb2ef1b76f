"""What one tenant's or one model's requests must not do to another's, though nobody is above any bound."""

from controller.qos.manager import QoSManager
from controller.qos.refusal import Refusal
from controller.qos.request import DONE, IN_FLIGHT, Request
from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSSettings
from tests.controller.qos.simulation import CLASSES, partition


class Two:
    """A manager whose requests in flight are in `flying`, in the order of their dispatch."""

    def __init__(self, settings: QoSSettings) -> None:
        self.flying: list[Request] = []
        self.refused: list[Refusal] = []
        self.manager = QoSManager(
            settings,
            0.0,
            on_dispatch=lambda request, _: self.flying.append(request),
            on_refuse=lambda _, refusal: self.refused.append(refusal),
            jitter=lambda: 0.5,
        )

    def arrive(self, model: str, tenant: str, now: float, tokens: int = 100, deadline: float | None = None) -> Request:
        request = Request(model, tenant, "standard", tokens, None, now, deadline)
        self.manager.arrive(request, now)
        return request


def test_who_hangs_up_before_the_end_pays_for_the_time_it_held_its_seat() -> None:
    settings = ModelSettings("a", "standard", queue_timeout=1e9, queue_length=10_000, output_tokens=100)
    two = Two(partition(2, settings))
    for _ in range(300):
        for tenant in ("honest", "hasty"):
            two.arrive("a", tenant, 0.0)
    ends: list[tuple[float, Request]] = []
    held = {"honest": 0.0, "hasty": 0.0}
    now = 0.0
    while now < 200:
        while two.flying:
            request = two.flying.pop()
            ends.append((now + (1.0 if request.tenant == "honest" else 10.0), request))
        now, request = min(ends, key=lambda one: one[0])
        ends.remove((now, request))
        held[request.tenant] += now - request.dispatched
        if request.tenant == "honest":
            two.manager.complete(request, now, output_tokens=100)
        else:
            two.manager.cancel(request, now)
    # the hasty one's first request was on the way before anything was known of either
    assert held["hasty"] <= 1.5 * held["honest"] + 20


def test_an_engine_that_refuses_everything_takes_nothing_of_its_neighbours_seats() -> None:
    models = {name: ModelSettings(name, "standard", minimum=minimum) for name, minimum in (("v", 2), ("x", 0))}
    shared = PartitionSettings("p", (Member("pod-v", "v", 8), Member("pod-x", "x", 8)), seats=8)
    two = Two(QoSSettings(CLASSES, models, {"p": shared}))
    for now in range(1, 60):
        two.arrive("x", "t", float(now))
        two.manager.complete(two.flying.pop(), now + 0.5, overloaded=True)
    seen = two.manager.statistics()
    assert seen.models["v"].minimum == 2
    assert seen.partitions["p"].limit == 8


def test_of_what_all_have_together_it_keeps_one_seat_and_its_neighbours_all_of_theirs() -> None:
    models = {name: ModelSettings(name, "standard") for name in ("v", "x")}
    shared = PartitionSettings("p", (Member("pod-v", "v", 8), Member("pod-x", "x", 8)))
    two = Two(QoSSettings(CLASSES, models, {"p": shared}))
    for now in range(1, 60):
        two.arrive("x", "t", float(now))
        two.manager.complete(two.flying.pop(), now + 0.5, overloaded=True)
    for _ in range(20):
        two.arrive("x", "t", 61.0)
        two.arrive("v", "t", 61.0)
    assert two.manager.statistics().partitions["p"].limit == 9
    assert sum(one.model == "v" for one in two.flying) >= 4


def test_a_tenants_long_prompts_do_not_make_anothers_short_one_hopeless() -> None:
    two = Two(partition(4, ModelSettings("a", "standard")))

    def served(tenant: str, tokens: int, seconds: float, now: float) -> float:
        request = two.arrive("a", tenant, now, tokens)
        assert two.flying.pop() is request
        two.manager.first_byte(request, now + seconds)
        two.manager.complete(request, now + seconds, output_tokens=10)
        return now + seconds

    now = served("short", 100, 0.2, 0.0)
    for _ in range(200):
        now = served("long", 100_000, 60.0, now)
    two.arrive("a", "long", now, 100_000)
    short = two.arrive("a", "short", now, 100, deadline=now + 30)
    assert short.state == IN_FLIGHT
    assert two.arrive("a", "long", now, 100_000, deadline=now + 30).state == DONE
    assert [one.reason for one in two.refused] == ["DeadlineUnreachable"]
