"""What is promised to models and tenants, each in virtual time and under loads that hypothesis draws."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.qos.manager import QoSManager
from controller.qos.request import Request
from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSClass, QoSSettings, TenantSettings
from tests.controller.qos.ledger import Ledger
from tests.controller.qos.simulation import CLASSES, FIXED, Arrival, Simulation, partition, percentile

LONG = 1e9
SEEDS = st.integers(0, 1 << 30)


def steady(
    model: str, tenant: str, every: float, until: float, seconds: float = 1.0, start: float = 0.0
) -> list[Arrival]:
    return [
        Arrival(start + at * every, model, tenant, seconds=seconds, tokens=100 + at % 7)
        for at in range(int((until - start) / every))
    ]


# ---- minimum


@given(seats=st.integers(2, 6), minimum=st.integers(1, 6), already=st.integers(0, 6), seed=SEEDS)
@settings(max_examples=40)
def test_a_minimum_is_reached_within_as_many_completions_as_are_missing(
    seats: int, minimum: int, already: int, seed: int
) -> None:
    random, minimum = Random(seed), min(minimum, seats)
    guaranteed = ModelSettings("a", "batch", minimum=minimum, queue_timeout=LONG)
    others = [ModelSettings(name, "realtime", queue_timeout=LONG, queue_length=10_000) for name in ("b", "c")]
    ledger = Ledger(partition(seats, guaranteed, *others))
    for _ in range(min(already, minimum)):
        ledger.arrive("a", tenant="a")
    for _ in range(10 * seats):  # ten times what there is
        ledger.arrive(random.choice("bc"), tenant=random.choice("xyz"))
    for _ in range(2 * seats):
        ledger.arrive("a", tenant="a")
    held = ledger.count("pod-a")
    for _ in range(minimum - held):
        ledger.complete(random.choice([one for one in ledger.flying if one.model != "a"]))
    assert ledger.count("pod-a") >= minimum


@given(seed=SEEDS, minimum=st.integers(1, 4))
@settings(max_examples=10)
def test_a_minimum_holds_under_ten_times_the_load(seed: int, minimum: int) -> None:
    """Who waits below its minimum gets every seat that comes free: as many as it misses, and no other model any."""
    random, seats = Random(seed), 4
    models = [
        ModelSettings("a", "batch", minimum=minimum, queue_timeout=LONG, queue_length=10_000),
        ModelSettings("b", "realtime", queue_timeout=LONG, queue_length=10_000),
    ]
    flood = steady("b", "b", 1 / (10 * seats), until=20.0)
    mine = [Arrival(random.uniform(2, 20), "a", "a", seconds=random.uniform(0.5, 1.5)) for _ in range(60)]
    below: list[tuple[int, int]] = []

    def watch(simulation: Simulation) -> None:
        model = simulation.manager.statistics().models["a"]
        if sum(model.queued.values()) and model.in_flight < minimum:
            below.append((len(simulation.order), min(minimum - model.in_flight, sum(model.queued.values()))))

    simulation = Simulation(partition(seats, *models))
    simulation.watch = watch
    order = simulation.run([*flood, *mine]).order
    assert below
    for at, missing in below:
        taken = [one.model for one in order[at : at + missing]]
        assert taken == ["a"] * len(taken)


def test_headroom_lets_the_next_request_wait_for_nobody() -> None:
    models = [
        ModelSettings("a", "standard", minimum=2, headroom=1),
        ModelSettings("b", "realtime", queue_timeout=LONG),
    ]
    ledger = Ledger(partition(4, *models))
    for _ in range(8):
        ledger.arrive("b")
    assert ledger.count("pod-b") == 3
    ledger.arrive("a")
    assert ledger.count("pod-a") == 1
    assert ledger.count("pod-b") == 3


def test_idle_seats_are_lent_and_come_back_with_the_next_completion() -> None:
    models = [ModelSettings("a", "batch", minimum=3), ModelSettings("b", "realtime", queue_timeout=LONG)]
    ledger = Ledger(partition(4, *models))
    for _ in range(8):
        ledger.arrive("b")
    assert ledger.count("pod-b") == 4
    seen = ledger.manager.statistics().models
    assert (seen["a"].lent, seen["b"].borrowed) == (3, 4)
    ledger.arrive("a")
    ledger.complete(next(iter(ledger.flying)))
    assert (ledger.count("pod-a"), ledger.count("pod-b")) == (1, 3)


def test_a_minimum_is_divided_over_ready_partitions_by_their_seats() -> None:
    model = ModelSettings("a", "standard", minimum=5)
    pods = {"p": 6, "q": 2, "r": 4}
    parts = {key: PartitionSettings(key, (Member(f"pod-{key}", "a", seats),)) for key, seats in pods.items()}
    parts["gone"] = PartitionSettings("gone", (Member("pod-gone", "a", 8, ready=False),))
    ledger = Ledger(QoSSettings(CLASSES, {"a": model}, parts, limit=FIXED))
    assert [ledger.share(ledger.member[f"pod-{key}"]) for key in ("p", "q", "r", "gone")] == [2, 1, 2, 0]
    assert ledger.manager.statistics().models["a"].minimum == 5


# ---- starvation


@given(seed=SEEDS, every=st.integers(2, 20), seats=st.integers(1, 5))
@settings(max_examples=40)
def test_the_longest_waiting_request_of_a_worse_class_is_served_within_so_many_dispatches(
    seed: int, every: int, seats: int
) -> None:
    random = Random(seed)
    classes = (QoSClass("realtime", 0, 8, 1.0), QoSClass("batch", 1, 1, 5.0))
    models = [ModelSettings(name, "realtime", queue_timeout=LONG, queue_length=10_000) for name in ("a", "b")]
    told = partition(seats, *models, classes=classes, starvation_every=every)
    batch = [Arrival(random.uniform(0, 20), "a", random.choice("xy"), "batch") for _ in range(20)]
    flood = [Arrival(random.uniform(0, 40), random.choice("ab"), random.choice("xyz")) for _ in range(80 * seats)]
    simulation = Simulation(told).run([*batch, *flood])
    order = simulation.order
    for one in batch:
        overdue = max([one.at + 5.0, *(simulation.started[other] for other in batch if other.at < one.at)])
        began = next((at for at, other in enumerate(order) if simulation.started[other] > overdue), len(order))
        served = order.index(one)
        assert served - began <= every, f"{served - began} dispatches after {overdue}"


def test_promotions_are_at_most_one_in_so_many() -> None:
    classes = (QoSClass("realtime", 0, 8, 1.0), QoSClass("batch", 1, 1, 5.0))
    model = ModelSettings("a", "realtime", queue_timeout=LONG, queue_length=10_000)
    told = partition(2, model, classes=classes, starvation_every=10)
    batch = [Arrival(0.0, "a", "x", "batch", tokens=at) for at in range(500)]
    simulation = Simulation(told).run([*steady("a", "y", 0.1, 200.0), *batch])
    contended = [one for one in simulation.order if simulation.started[one] < 150]
    promoted = sum(one.qos_class == "batch" for one in contended)
    assert len(contended) // 12 <= promoted <= len(contended) // 10 + 1


# ---- fairness


@given(seed=SEEDS, weights=st.lists(st.integers(1, 5), min_size=2, max_size=4))
@settings(max_examples=15)
def test_what_tenants_that_wait_are_served_differs_by_a_request_of_each(seed: int, weights: list[int]) -> None:
    random = Random(seed)
    tenants = {f"t{at}": TenantSettings(weight) for at, weight in enumerate(weights)}
    model = ModelSettings("a", "standard", queue_timeout=LONG, queue_length=10_000, output_tokens=0)
    ledger = Ledger(partition(1, model, tenants=tenants))
    ledger.arrive("a", tenant="first")
    costs: dict[str, list[int]] = {name: [random.randint(1, 1000) for _ in range(15)] for name in tenants}
    for name, tokens in costs.items():
        for one in tokens:
            ledger.arrive("a", tenant=name, tokens=one)
    served = dict.fromkeys(tenants, 0.0)
    left = {name: len(tokens) for name, tokens in costs.items()}
    while all(left.values()):
        ledger.complete(next(iter(ledger.flying)))
        request = ledger.dispatches[-1].request
        served[request.tenant] += request.prompt_tokens / tenants[request.tenant].weight
        left[request.tenant] -= 1
        for name in tenants:
            for other in tenants:
                bound = max(costs[name]) / tenants[name].weight + max(costs[other]) / tenants[other].weight
                assert abs(served[name] - served[other]) <= bound + 1e-6


@given(seed=SEEDS, weights=st.tuples(st.integers(1, 4), st.integers(1, 4)), seats=st.integers(1, 4))
@settings(max_examples=15)
def test_what_models_of_a_class_are_served_differs_by_a_request_of_each(
    seed: int, weights: tuple[int, int], seats: int
) -> None:
    random = Random(seed)
    models = [
        ModelSettings(name, "standard", queue_timeout=LONG, queue_length=10_000, weight=weight, output_tokens=0)
        for name, weight in zip("ab", weights, strict=True)
    ]
    ledger = Ledger(partition(seats, *models))
    for _ in range(seats):
        ledger.arrive(random.choice("ab"))
    for name in "ab":
        for _ in range(25):
            ledger.arrive(name, tokens=random.randint(1, 500))
    served = {"a": 0.0, "b": 0.0}
    for _ in range(25):
        ledger.complete(random.choice(list(ledger.flying)))
        request = ledger.dispatches[-1].request
        served[request.model] += request.prompt_tokens / weights["ab".index(request.model)]
        assert abs(served["a"] - served["b"]) <= 500 / weights[0] + 500 / weights[1] + 1e-6


def test_seats_had_by_a_minimum_count_for_the_turns() -> None:
    """Four models wait all the time for four seats. One has a minimum of two: it gets those, and no turn besides."""
    models = [ModelSettings(name, "standard", queue_timeout=LONG, queue_length=10_000) for name in "bcd"]
    models.append(ModelSettings("a", "standard", minimum=2, queue_timeout=LONG, queue_length=10_000))
    arrivals = [Arrival(0.0, name, name, tokens=100 + at) for name in "abcd" for at in range(300)]
    order = Simulation(partition(4, *models)).run(arrivals).order
    assert sum(one.model == "a" for one in order[:400]) == pytest.approx(200, abs=10)


@given(weights=st.tuples(st.integers(1, 9), st.integers(1, 9)), seats=st.integers(1, 4))
@settings(max_examples=20)
def test_classes_of_one_rank_share_by_their_weights(weights: tuple[int, int], seats: int) -> None:
    classes = tuple(QoSClass(name, 0, weight, LONG) for name, weight in zip(("one", "two"), weights, strict=True))
    model = ModelSettings("a", "one", queue_timeout=LONG, queue_length=10_000)
    arrivals = [Arrival(0.0, "a", qos_class=one.name, tokens=100 + at) for one in classes for at in range(300)]
    order = Simulation(partition(seats, model, classes=classes)).run(arrivals).order
    ones = sum(one.qos_class == "one" for one in order[seats : seats + 200])
    assert ones == pytest.approx(200 * weights[0] / sum(weights), abs=8)


@given(away=st.integers(1, 60))
@settings(max_examples=10)
def test_who_was_away_has_no_credit_for_it(away: int) -> None:
    model = ModelSettings("a", "standard", queue_timeout=LONG, queue_length=10_000, output_tokens=0)
    ledger = Ledger(partition(1, model))
    for tenant in ("here", "away", "here", "here"):
        ledger.arrive("a", tenant=tenant)
    for _ in range(away + 30):
        ledger.arrive("a", tenant="here", tokens=100)
    for _ in range(away):
        ledger.complete(next(iter(ledger.flying)))
    for _ in range(25):
        ledger.arrive("a", tenant="away", tokens=100)
    before = len(ledger.dispatches)
    for _ in range(20):
        ledger.complete(next(iter(ledger.flying)))
    back = sum(one.request.tenant == "away" for one in ledger.dispatches[before:])
    assert 9 <= back <= 11


def test_who_says_too_little_pays_for_what_it_really_used() -> None:
    """Two tenants wait all the time; the answers of one are ten times as long as predicted."""
    model = ModelSettings("a", "standard", queue_timeout=LONG, queue_length=10_000, output_tokens=100)
    arrivals = [Arrival(0.0, "a", "modest", tokens=100 + at, output=100) for at in range(400)]
    arrivals += [Arrival(0.0, "a", "greedy", tokens=100 + at, output=1000) for at in range(400)]
    simulation = Simulation(partition(2, model)).run(arrivals)
    used = {"modest": 0.0, "greedy": 0.0}
    for one in simulation.order[:300]:
        used[one.tenant] += one.tokens + 2 * one.output
    assert 0.85 < used["greedy"] / used["modest"] < 1.2


def spaced(random: Random, seats: int) -> list[Arrival]:
    """Less than a fourth of the seats, at odd times."""
    at, found = 0.0, []
    for _ in range(60):
        at += random.uniform(4, 8) / seats
        found.append(Arrival(at, "a", "quiet"))
    return found


@given(seed=SEEDS, seats=st.integers(1, 6))
@settings(max_examples=12)
def test_a_flooding_tenant_moves_anothers_p99_by_less_than_a_service_time(seed: int, seats: int) -> None:
    random = Random(seed)
    model = ModelSettings("a", "standard", queue_timeout=LONG, queue_length=200)
    quiet = spaced(random, seats)
    loud = steady("a", "loud", 1 / (10 * seats), until=quiet[-1].at + 1, start=random.random())
    alone = Simulation(partition(seats, model)).run(quiet)
    beside = Simulation(partition(seats, model)).run([*quiet, *loud])
    assert [one for one, _ in beside.refused if one.tenant == "quiet"] == []
    p99 = [percentile([simulation.wait(one) for one in quiet], 0.99) for simulation in (alone, beside)]
    assert p99[1] - p99[0] < 1.0


@given(seed=SEEDS, seats=st.integers(1, 6))
@settings(max_examples=12)
def test_a_flooded_model_moves_anothers_p99_by_less_than_a_service_time(seed: int, seats: int) -> None:
    random = Random(seed)
    models = [ModelSettings(name, "standard", queue_timeout=LONG, queue_length=200) for name in ("a", "b")]
    quiet = spaced(random, seats)
    loud = steady("b", "loud", 1 / (10 * seats), until=quiet[-1].at + 1, start=random.random())
    alone = Simulation(partition(seats, *models)).run(quiet)
    beside = Simulation(partition(seats, *models)).run([*quiet, *loud])
    p99 = [percentile([simulation.wait(one) for one in quiet], 0.99) for simulation in (alone, beside)]
    assert p99[1] - p99[0] < 1.0


# ---- priority


@given(seed=SEEDS, seats=st.integers(1, 4))
@settings(max_examples=40)
def test_a_better_class_never_delays_a_request(seed: int, seats: int) -> None:
    """The same traffic twice, and one request more, in a worse and in a better class; nobody starves meanwhile."""
    random = Random(seed)
    classes = tuple(QoSClass(one.name, one.rank, one.weight, LONG) for one in CLASSES)
    models = [ModelSettings(name, "standard", queue_timeout=LONG, queue_length=10_000) for name in ("a", "b")]
    names = [one.name for one in classes]
    others = [
        Arrival(
            random.uniform(0, 20),
            random.choice("ab"),
            random.choice("xy"),
            random.choice(names),
            random.randint(1, 500),
            seconds=random.uniform(0.5, 2),
        )
        for _ in range(30 * seats)
    ]
    at = random.uniform(1, 15)
    waits = []
    for name in ("batch", "standard", "realtime"):
        probe = Arrival(at, "a", "probe", name)
        waits.append(Simulation(partition(seats, *models, classes=classes)).run([*others, probe]).wait(probe))
    assert waits[0] >= waits[1] - 1e-9
    assert waits[1] >= waits[2] - 1e-9


# ---- others


def test_a_hundred_reloads_under_load_refuse_nobody() -> None:
    models = [ModelSettings(name, "standard", queue_timeout=LONG, queue_length=10_000) for name in ("a", "b")]
    one, two = partition(3, *models), partition(5, *models, each=2, starvation_every=3)
    simulation = Simulation(one)
    for at in range(100):
        told = two if at % 2 else one
        simulation.later(0.2 * at, lambda told=told: simulation.manager.configure(told, simulation.now))  # type: ignore[misc]
    arrivals = [*steady("a", "x", 0.1, 20.0), *steady("b", "y", 0.15, 20.0)]
    simulation.run(arrivals)
    assert simulation.refused == []
    assert len(simulation.started) == len(arrivals)


def test_engines_that_end_requests_at_once_do_not_deepen_the_stack() -> None:
    told = partition(1, ModelSettings("a", "standard", queue_length=10_000))
    ended: list[Request] = []

    def dispatched(request: Request, member: Member) -> None:
        if request.payload == "short":
            manager.complete(request, 1.0)
        ended.append(request)

    manager = QoSManager(told, 0.0, on_dispatch=dispatched, on_refuse=lambda *_: None, jitter=lambda: 0.5)
    first = Request("a", "t", "standard", 1, None, 0.0)
    manager.arrive(first, 0.0)
    for _ in range(5000):
        manager.arrive(Request("a", "t", "standard", 1, None, 0.0, payload="short"), 0.0)
    manager.complete(first, 1.0)
    assert len(ended) == 5001
    assert manager.statistics().models["a"].in_flight == 0
