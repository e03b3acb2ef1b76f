from dataclasses import fields, replace

import pytest

from controller.gateway.configuration import ANYBODY, Caller, Limits, ServiceRoute
from controller.qos.settings import ModelSettings


def test_limits_as_they_come_are_without_problems() -> None:
    assert Limits().problems() == []


@pytest.mark.parametrize("name", [item.name for item in fields(Limits)])
def test_a_limit_of_less_than_nothing_is_named(name: str) -> None:
    assert replace(Limits(), **{name: -1}).problems() == [f"limit {name} is -1: write more than 0"]


def test_no_retry_is_a_limit_and_no_seconds_are_none() -> None:
    assert replace(Limits(), retries=0).problems() == []
    assert replace(Limits(), head_seconds=0).problems() == ["limit head_seconds is 0: write more than 0"]


def test_a_caller_may_call_what_its_key_says() -> None:
    assert Caller("team-a", "key", namespaces=frozenset({"team-a"})).may_call("team-a")
    assert not Caller("team-a", "key", namespaces=frozenset({"team-a"})).may_call("team-b")
    assert not Caller("team-a", "key").may_call("team-a")
    assert ANYBODY.may_call("team-b")


def test_a_service_is_queued_under_its_own_name() -> None:
    assert ServiceRoute("team-a", "chat", (), ModelSettings("team-a/chat", "standard")).key == "team-a/chat"
    with pytest.raises(ValueError, match="team-a/chat"):
        ServiceRoute("team-a", "chat", (), ModelSettings("team-b/chat", "standard"))
