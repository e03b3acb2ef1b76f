from typing import Any

import pytest

from controller.gateway.configuration import Objective
from controller.gateway.control.rules import NO_POLICY, Rules
from controller.gateway.control.services import annotated_route, route_of
from controller.qos.settings import ModelSettings
from tests.builders.watched import engine_pod, inference_service, policy_of


def route(**qos: Any) -> tuple[ModelSettings, list[str]]:
    problems: list[str] = []
    return route_of(inference_service(qos=qos), NO_POLICY, (), problems).qos, problems


def test_a_service_that_says_nothing_is_standard_and_without_bounds() -> None:
    assert route() == (ModelSettings("team-a/chat", "standard"), [])


def test_what_it_says_is_what_the_dispatcher_is_told() -> None:
    guarantees = {"minConcurrency": 2, "maxConcurrency": 5, "maxRate": 7}
    said = {"class": "realtime", "guarantees": guarantees, "queue": {"maxLength": 3, "timeout": "1m30s"}}
    want = ModelSettings(
        "team-a/chat", "realtime", minimum=2, maximum=5, max_rate=7, queue_length=3, queue_timeout=90.0
    )
    assert route(**said) == (want, [])


def test_a_class_that_is_not_there_is_the_last_one_and_told() -> None:
    settings, problems = route(**{"class": "platinum"})
    assert settings.qos_class == "batch"
    assert problems == ["team-a/chat: class 'platinum' is none of realtime, standard, batch: batch is taken"]


def test_a_service_that_contradicts_itself_is_served_without_bounds() -> None:
    settings, problems = route(guarantees={"minConcurrency": 5, "maxConcurrency": 2})
    assert settings == ModelSettings("team-a/chat", "standard")
    assert problems == ["models[team-a/chat].maximum 2: give at least 1 and the minimum, 5; no bounds are taken"]


def test_a_timeout_that_is_none_is_the_usual_one() -> None:
    settings, problems = route(queue={"maxLength": 3, "timeout": "soon"})
    assert (settings.queue_timeout, settings.queue_length) == (60.0, 3)
    assert len(problems) == 1


def test_it_goes_by_its_name_and_its_models_id() -> None:
    assert route_of(inference_service(), NO_POLICY, (), []).model_ids == ("chat", "Qwen/Qwen3-8B")


def objectives(**said: Any) -> tuple[tuple[Objective, ...], list[str]]:
    problems: list[str] = []
    one = {"metric": "timeToFirstToken", "threshold": "500ms"} | said
    return route_of(inference_service(qos={"slo": [one]}), NO_POLICY, (), problems).objectives, problems


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ({}, Objective("timeToFirstToken", 99.0, 0.5, 0.99)),
        ({"percentile": "p99.9", "objective": "99.5"}, Objective("timeToFirstToken", 99.9, 0.5, 0.995)),
    ],
)
def test_objectives(said: dict[str, str], want: Objective) -> None:
    assert objectives(**said) == ((want,), [])


def test_an_objective_that_cannot_be_read_is_not_watched_and_told() -> None:
    found, problems = objectives(metric="happiness")
    assert found == ()
    assert problems == ["team-a/chat: spec.qos.slo happiness p99 500ms: not watched ('happiness')"]


def test_annotated_pods_say_model_and_class() -> None:
    problems: list[str] = []
    pod = engine_pod(service=None, annotations={"aim.amd.com/qos-class": "realtime"})
    made = annotated_route("team-a", "search", [pod], NO_POLICY, (), problems)
    assert made.qos == ModelSettings("team-a/search", "realtime")
    assert made.model_ids == ("search", "Qwen/Qwen3-8B")
    assert problems == []


def test_pods_that_name_two_classes_are_told() -> None:
    problems: list[str] = []
    pods = [engine_pod(name, annotations={"aim.amd.com/qos-class": name}) for name in ("standard", "batch")]
    assert annotated_route("team-a", "search", pods, NO_POLICY, (), problems).qos.qos_class == "batch"
    assert problems == ["team-a/search: its pods name the classes batch, standard: name one; batch is taken"]


def test_a_service_brings_its_policys_bound_of_shared_partitions() -> None:
    rule = Rules([policy_of(sharedConcurrency=6)]).ruling(None, {})
    assert route_of(inference_service(), rule, (), []).shared_seats == 6
    assert annotated_route("team-a", "chat", [engine_pod()], rule, (), []).shared_seats == 6
