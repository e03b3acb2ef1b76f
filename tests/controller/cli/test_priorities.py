"""Priorities of pods in files: of the class that they name, of everybody's class, or as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from controller.cli.documents import BadInput, parse_documents
from controller.cli.priorities import PriorityClass, unknown, with_priorities
from controller.cli.wanted import Wanted, gather
from tests.controller.cli.plan_scenes import workload

URGENT: dict[str, Any] = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "urgent"},
    "value": 1000,
    "preemptionPolicy": "Never",
}


def of_class(name: str) -> dict[str, Any]:
    made = workload("chat")
    made["spec"]["template"]["spec"]["priorityClassName"] = name
    return made


def given(*objects: dict[str, Any]) -> Wanted:
    return gather(list(parse_documents(Path("given.yaml"), "\n---\n".join(map(json.dumps, objects)))))


def test_a_class_of_the_files_is_that_of_their_pods() -> None:
    (found,) = given(of_class("urgent"), URGENT).workloads
    assert (found.pod.priority, found.pod.preempts) == (1000, False)


def test_pods_that_name_no_class_have_the_one_for_everybody() -> None:
    classes = {"low": PriorityClass(5), "all": PriorityClass(7, everybodys=True)}
    (found,) = with_priorities(given(workload("chat")).workloads, classes)
    assert found.pod.priority == 7


def test_a_class_that_nobody_knows_is_told() -> None:
    wanted = given(of_class("urgent"))
    assert wanted.workloads[0].pod.priority == 0
    (text,) = unknown(wanted.workloads, {})
    assert text.startswith("team-a/chat names PriorityClass urgent, whose value is not known here")
    assert not unknown(given(of_class("urgent"), URGENT).workloads, {"urgent": PriorityClass(1)})


def test_a_class_without_a_value_is_refused() -> None:
    with pytest.raises(BadInput, match="PriorityClass urgent: value"):
        given(URGENT | {"value": "high"})
