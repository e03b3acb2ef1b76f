from controller.exporter.engines.gateway_presence import REMEMBERED_SECONDS, GatewayPresence
from controller.runtime.objects.endpoint_slice import Endpoint, EndpointConditions, EndpointSlice
from controller.runtime.objects.metadata import ObjectMeta


def slices(*ready: bool | None) -> list[EndpointSlice]:
    endpoints = tuple(Endpoint(conditions=EndpointConditions(ready=one)) for one in ready)
    return [EndpointSlice(metadata=ObjectMeta(name="gateway-x"), endpoints=endpoints)]


def test_one_ready_replica_is_a_gateway() -> None:
    assert GatewayPresence().look(slices(False, True), 0.0)
    assert GatewayPresence().look(slices(None), 0.0)  # who does not know counts as ready, as for every balancer


def test_where_none_was_ready_there_is_none() -> None:
    presence = GatewayPresence()
    assert not presence.look([], 0.0)
    assert not presence.look(slices(), 1.0)
    assert not presence.look(slices(False), 2.0)


def test_a_gateway_that_was_ready_some_minutes_ago_is_remembered() -> None:
    presence = GatewayPresence()
    presence.look(slices(True), 1000.0)
    assert presence.look(slices(False), 1000.0 + REMEMBERED_SECONDS)
    assert not presence.look([], 1000.1 + REMEMBERED_SECONDS)
    assert presence.look(slices(True), 2000.0)
