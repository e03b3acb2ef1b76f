"""Deeds through an API that fails: what is tried again, what is given up, and what is said of bystanders."""

from typing import Any

import pytest

from e2e.plane import AdminError
from tests.chaos.churn import Deed, Verb
from tests.chaos.people import UNREACHABLE, Again, People, made


class FailingAdmin:
    """Answers each creation with the next of `answers`: an error, or None for success."""

    def __init__(self, *answers: Exception | None) -> None:
        self._answers = list(answers)
        self.created: list[str] = []

    def create(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer
        self.created.append(f"{path}/{obj['metadata']['name']}")
        return obj


BYSTANDER = Deed(0.0, Verb.BYSTANDER, "b1")


def _tried(error: Exception) -> People:
    people = People(FailingAdmin(error))  # type: ignore[arg-type]
    with pytest.raises(Again):
        people._try(BYSTANDER)
    return people


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("nobody listens"),
        TimeoutError("no answer"),
        AdminError(503, "ServiceUnavailable", "etcd is away"),
        AdminError(403, "Forbidden", 'pods "b1" is forbidden: not yet ready to handle request'),
        AdminError(404, "NotFound", "the server could not find the requested resource"),
    ],
)
def test_an_api_server_that_is_away_is_nobodys_fault_and_tried_again(error: Exception) -> None:
    (attempt,) = _tried(error).attempts
    assert attempt.refused == UNREACHABLE


def test_our_webhook_in_the_way_of_a_bystander_is_told() -> None:
    text = 'Internal error occurred: failed calling webhook "pods.aim.amd.com"'
    (attempt,) = _tried(AdminError(500, "InternalError", text)).attempts
    assert text in attempt.refused


def test_what_an_earlier_try_has_made_is_made() -> None:
    people = People(FailingAdmin(AdminError(409, "AlreadyExists", "b1 is there")))  # type: ignore[arg-type]
    people._try(BYSTANDER)
    assert (people.done[Verb.BYSTANDER], people.attempts[0].refused) == (1, "")


def test_what_is_refused_for_good_ends_the_run() -> None:
    people = People(FailingAdmin(AdminError(403, "Forbidden", "denied")))  # type: ignore[arg-type]
    with pytest.raises(AdminError):
        people._try(BYSTANDER)
    assert "denied" in people.attempts[0].refused


@pytest.mark.parametrize(("verb", "want"), [(Verb.POD, True), (Verb.BYSTANDER, False)])
def test_only_who_asks_opts_in(verb: Verb, want: bool) -> None:
    obj = made(Deed(0.0, verb, "x", priority="chaos-high"))
    assert ("aim.amd.com/gpu-sharing" in obj["metadata"]["annotations"]) is want
    assert obj["spec"]["priorityClassName"] == "chaos-high"
