"""The names that dashboards know, with the values of what happened."""

import time

import orjson
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from controller.runtime.certs.authority import make_authority
from controller.runtime.clock import RealClock
from controller.runtime.manifest import Manifest
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow
from controller.runtime.webhook.conversion import ConversionFailed
from controller.runtime.webhook.server import WebhookServer
from tests.controller.runtime.webhook.running import DAY, leaf, post, review, serving, session_of


def points(reader: InMemoryMetricReader) -> dict[str, dict[str, float]]:
    """metric -> its labels' values -> value, or the count of a histogram."""
    data = reader.get_metrics_data()
    found: dict[str, dict[str, float]] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else []:
        for point in metric.data.data_points:
            labels = " ".join(str(value) for value in (point.attributes or {}).values())
            found.setdefault(metric.name, {})[labels] = point.value if hasattr(point, "value") else point.count
    return found


async def handler(request: AdmissionRequest) -> AdmissionResponse:
    if request.name == "bug":
        raise RuntimeError("a bug")
    return allow()


async def test_requests_by_code_latency_and_requests_in_flight() -> None:
    reader = InMemoryMetricReader()
    authority = make_authority("webhooks", RealClock().now(), 10 * DAY)
    meter = MeterProvider([reader]).get_meter("runtime")
    server = WebhookServer("127.0.0.1", 0, leaf(authority), meter=meter)
    server.handle_admission("/pods", handler)
    server.handle_admission("/idle", handler)
    async with serving(server), session_of(server, authority) as session:
        for body in (review("p"), review("p"), review("bug"), b"{"):
            await post(session, body)
    found = points(reader)
    assert found["controller_runtime_webhook_requests_total"] == {
        "/pods 200": 2, "/pods 500": 1, "/pods 400": 1, "/idle 200": 0, "/idle 500": 0,
    }  # fmt: skip
    assert found["controller_runtime_webhook_requests_in_flight"] == {"/pods": 0, "/idle": 0}
    assert found["controller_runtime_webhook_latency_seconds"] == {"/pods": 4}


def convert(desired: str, objects: list[Manifest]) -> list[Manifest]:
    match objects[0]["metadata"]["name"]:
        case "refused":
            raise ConversionFailed("size 9 has no place in v2")
        case "bug":
            raise KeyError("size")
        case "slow":
            time.sleep(0.15)  # as a handler does that computes
    return [obj | {"apiVersion": desired} for obj in objects]


async def test_a_conversion_that_failed_is_answered_with_200_and_counted_as_500() -> None:
    reader = InMemoryMetricReader()
    authority = make_authority("webhooks", RealClock().now(), 10 * DAY)
    server = WebhookServer("127.0.0.1", 0, leaf(authority), meter=MeterProvider([reader]).get_meter("runtime"))
    server.handle_conversion("/convert", convert)
    answers = []
    async with serving(server), session_of(server, authority) as session:
        for name, timeout in (("good", 10), ("refused", 10), ("bug", 10), ("slow", 0.1)):
            obj = {"apiVersion": "e/v1", "kind": "Gadget", "metadata": {"name": name}}
            request = {"uid": "u", "desiredAPIVersion": "e/v2", "objects": [obj] * 100}
            body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request}
            status, answer = await post(session, orjson.dumps(body), f"/convert?timeout={timeout}s")
            answers.append((status, orjson.loads(answer)["response"]["result"]["status"]))
    assert answers == [(200, "Success"), *[(200, "Failure")] * 3]
    assert points(reader)["controller_runtime_webhook_requests_total"] == {"/convert 200": 1, "/convert 500": 3}
