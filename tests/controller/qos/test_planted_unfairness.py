"""Defects of the turns, which no rule about a single dispatch can notice: the tests of the guarantees do, each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from controller.qos import admission, manager
from controller.qos.dispatcher import Dispatcher
from controller.qos.fair_queue import Flow, RequestQueue
from controller.qos.place import Entry
from controller.qos.request import Request
from tests.controller.qos import test_guarantees as guarantees

LONG = 1e9


@dataclass(frozen=True)
class Unfairness:
    name: str
    owner: Any
    attribute: str
    instead: Any
    noticed: Callable[[], None]


def inner(test: Any, **drawn: object) -> Callable[[], None]:
    """The test on one example, without the search."""
    return lambda: test.hypothesis.inner_test(**drawn)


def tenants_by_cost() -> None:
    for seed in range(5):
        inner(
            guarantees.test_what_tenants_that_wait_are_served_differs_by_a_request_of_each, seed=seed, weights=[1, 3, 1]
        )()


def models_by_cost() -> None:
    for seed in range(5):
        inner(
            guarantees.test_what_models_of_a_class_are_served_differs_by_a_request_of_each,
            seed=seed,
            weights=(1, 3),
            seats=2,
        )()


def isolation() -> None:
    for seed in range(3):
        inner(guarantees.test_a_flooding_tenant_moves_anothers_p99_by_less_than_a_service_time, seed=seed, seats=2)()


def isolation_of_models() -> None:
    for seed in range(3):
        inner(guarantees.test_a_flooded_model_moves_anothers_p99_by_less_than_a_service_time, seed=seed, seats=2)()


def no_credit() -> None:
    inner(guarantees.test_who_was_away_has_no_credit_for_it, away=40)()


push, new_flow = RequestQueue.push, RequestQueue._new_flow


def least_served_ever(self: RequestQueue) -> Request:
    """Whose flow was served least, ever: who was away catches up."""
    _, _, flow = min(self._heap, key=lambda one: one[2].finish if one[2].waiting else LONG)
    _, request = next(item[1:] for item in flow.items if item[2].ticket == item[1])
    self.remove(request)
    flow.finish += request.cost * flow.per_cost
    request.flow = flow
    if not flow.waiting:
        self._heap = [one for one in self._heap if one[2] is not flow]
        flow.listed = False
    return request


def lists_with_credit(self: RequestQueue, flow: Flow) -> None:
    flow.listed = True
    self._heap.append((flow.finish, flow.number, flow))


def each_costs_one(self: RequestQueue, request: Request, due: float, ticket: int, weight: int) -> None:
    request.cost = 1.0
    push(self, request, due, ticket, weight)


def one_flow(self: RequestQueue, request: Request, due: float, ticket: int, weight: int) -> None:
    request.tenant = "everybody"
    push(self, request, due, ticket, weight)


def of_one_weight(self: RequestQueue, tenant: str, weight: int) -> Flow:
    return new_flow(self, tenant, 1)


def free_of_charge(self: Dispatcher, line: Any) -> Request:
    return self._queued(line.turns[0][2])


def first_come(self: Dispatcher, line: Any) -> Request:
    waiting = [entry for _, _, entry in line.turns if entry.waits() and entry.place.in_flight < entry.place.seats]
    return self._queued(min(waiting, key=lambda one: one.queue.oldest().arrived))


take_from, take_turn = Dispatcher._take_from, Dispatcher._take_turn


def minimum_for_nothing(self: Dispatcher, entry: Entry, now: float) -> Request:
    request = take_from(self, entry, now)
    entry.adjust -= request.cost * entry.per_cost
    return request


def classes_without_weight(self: Dispatcher, line: Any) -> Request:
    request = take_turn(self, line)
    line.finish = 0.0
    return request


PLANTED = [
    Unfairness(
        "seats had by a minimum cost no turn",
        Dispatcher,
        "_take_from",
        minimum_for_nothing,
        guarantees.test_seats_had_by_a_minimum_count_for_the_turns,
    ),
    Unfairness(
        "weights of classes do not count",
        Dispatcher,
        "_take_turn",
        classes_without_weight,
        inner(guarantees.test_classes_of_one_rank_share_by_their_weights, weights=(8, 2), seats=2),
    ),
    Unfairness("who was away has credit", RequestQueue, "take", least_served_ever, no_credit),
    Unfairness("every request costs the same", RequestQueue, "push", each_costs_one, tenants_by_cost),
    Unfairness("weights of tenants do not count", RequestQueue, "_new_flow", of_one_weight, tenants_by_cost),
    Unfairness("one queue for all tenants", RequestQueue, "push", one_flow, isolation),
    Unfairness("models are not charged for their turns", Dispatcher, "_take_turn", free_of_charge, models_by_cost),
    Unfairness("models are served as their requests come", Dispatcher, "_take_turn", first_come, isolation_of_models),
    Unfairness("a flood may fill the queue", manager, "displaced_by", lambda *_: None, isolation),
    Unfairness(
        "what was predicted is never put right",
        manager,
        "_charge",
        lambda request, more: None,
        guarantees.test_who_says_too_little_pays_for_what_it_really_used,
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.name)
def test_it_is_noticed(planted: Unfairness, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.noticed()  # without it all is well
    monkeypatch.setattr(planted.owner, planted.attribute, planted.instead)
    if planted.attribute == "take":
        monkeypatch.setattr(RequestQueue, "_list", lists_with_credit)
    with pytest.raises((AssertionError, KeyError)):
        planted.noticed()


def test_nothing_is_left_planted() -> None:
    assert vars(manager)["displaced_by"] is admission.displaced_by
    assert RequestQueue.push is push
