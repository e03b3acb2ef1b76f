from typing import Any

import pytest

from e2e.run.services import Service, Standing, Wish, fulfilled, services, unfulfilled, wishes
from e2e.run.world import World
from tests.e2e.run.objects import claim, deployment, inference_service, kserve_service, pod, refused

LABEL = "aim.amd.com/inference-service"
STANDINGS = [
    pytest.param(
        {"deployments": [deployment("web")], "pods": [pod("p", "aim-1", app="web")], "claims": [claim("aim-1")]},
        Standing.RUNNING,
        "",
        id="allocated and ready",
    ),
    pytest.param(
        {
            "deployments": [deployment("web")],
            "pods": [pod("p", "aim-1", ready=False, app="web")],
            "claims": [claim("aim-1")],
        },
        Standing.MOVING,
        "PodsNotReady",
        id="allocated, not ready",
    ),
    pytest.param(
        {
            "deployments": [deployment("web")],
            "pods": [pod("p", "aim-1", app="web")],
            "claims": [claim("aim-1", phase="Bound")],
        },
        Standing.MOVING,
        "PodsNotReady",
        id="bound is not allocated",
    ),
    pytest.param({"deployments": [deployment("web")]}, Standing.MOVING, "PodsMissing", id="no pod yet"),
    pytest.param(
        {
            "deployments": [deployment("web", 2)],
            "pods": [pod("p", "aim-1", app="web"), pod("q", "aim-2", app="web")],
            "claims": [refused("aim-1", "TooLarge"), refused("aim-2", "TooLarge")],
        },
        Standing.REFUSED,
        "TooLarge",
        id="every pod refused for one reason",
    ),
    pytest.param(
        {
            "deployments": [deployment("web", 2)],
            "pods": [pod("p", "aim-1", app="web"), pod("q", "aim-2", app="web")],
            "claims": [refused("aim-1", "TooLarge"), claim("aim-2")],
        },
        Standing.MOVING,
        "TooLarge",
        id="one of two pods refused",
    ),
    pytest.param(
        {
            "services": [inference_service("web")],
            "pods": [pod("p", "aim-1", service="web")],
            "claims": [claim("aim-1")],
        },
        Standing.RUNNING,
        "",
        id="a service that says so itself",
    ),
    pytest.param(
        {
            "services": [inference_service("web", ready="False", reason="PodsNotReady")],
            "pods": [pod("p", "aim-1", service="web")],
            "claims": [claim("aim-1")],
        },
        Standing.MOVING,
        "PodsNotReady",
        id="pods run, the service's status does not say so yet",
    ),
    pytest.param(
        {
            "services": [inference_service("web", allocated="False", reason="TooLarge")],
            "pods": [pod("p", "aim-1", ready=False, service="web")],
            "claims": [refused("aim-1", "TooLarge")],
        },
        Standing.REFUSED,
        "TooLarge",
        id="a service refused, by claim and by its own status",
    ),
    pytest.param(
        {
            "services": [inference_service("web", allocated="False", reason="Pending")],
            "pods": [pod("p", "aim-1", ready=False, service="web")],
            "claims": [refused("aim-1", "TooLarge")],
        },
        Standing.MOVING,
        "Pending",
        id="a service that has not heard of the refusal",
    ),
    pytest.param(
        {
            "kserve_services": [kserve_service("web")],
            "pods": [pod("p", "aim-1", kserve="web")],
            "claims": [claim("aim-1")],
        },
        Standing.RUNNING,
        "",
        id="KServe's service, Ready and told that it is allocated",
    ),
    pytest.param(
        {
            "kserve_services": [kserve_service("web", allocated="False")],
            "pods": [pod("p", "aim-1", kserve="web")],
            "claims": [claim("aim-1")],
        },
        Standing.MOVING,
        "TooLarge",
        id="KServe's service runs, and its condition lags",
    ),
    pytest.param(
        {
            "kserve_services": [kserve_service("web", ready="False")],
            "pods": [pod("p", "aim-1", kserve="web")],
            "claims": [claim("aim-1")],
        },
        Standing.MOVING,
        "NoReason",
        id="KServe does not call it Ready",
    ),
    pytest.param(
        {
            "kserve_services": [kserve_service("web", allocated="False", ready="False")],
            "pods": [pod("p", "aim-1", ready=False, kserve="web")],
            "claims": [refused("aim-1", "TooLarge")],
        },
        Standing.REFUSED,
        "TooLarge",
        id="KServe's service refused, by claim and by its condition",
    ),
    pytest.param(
        {
            "kserve_services": [kserve_service("web", 2)],
            "pods": [pod("p", "aim-1", kserve="web"), pod("q", "aim-2", app="web")],
            "claims": [claim("aim-1"), claim("aim-2")],
        },
        Standing.MOVING,
        "PodsMissing",
        id="one of two pods of KServe's service is there",
    ),
]


@pytest.mark.parametrize(("objects", "want_standing", "want_reason"), STANDINGS)
def test_standing(objects: dict[str, Any], want_standing: Standing, want_reason: str) -> None:
    [found] = services(World(**objects))
    assert (found.standing, found.reason) == (want_standing, want_reason)


def test_an_old_pod_on_its_way_out_does_not_count() -> None:
    leaving = pod("old", "aim-0", app="web")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    world = World(
        deployments=[deployment("web")], pods=[leaving, pod("p", "aim-1", app="web")], claims=[claim("aim-1")]
    )
    assert services(world)[0].standing is Standing.RUNNING


def test_only_what_opts_in_by_itself_is_a_service() -> None:
    made = deployment("made")
    made["metadata"]["labels"] = {LABEL: "made"}
    assert services(World(deployments=[made, deployment("plain", opted_in=False)])) == ()


def test_what_kserve_makes_of_a_service_is_a_part_of_it() -> None:
    made = deployment("web-predictor")
    made["metadata"]["labels"] = {"serving.kserve.io/inferenceservice": "web"}
    of_ours = kserve_service("mine")
    of_ours["metadata"]["labels"] = {LABEL: "mine"}
    aside = kserve_service("aside", opted_in=False)
    world = World(deployments=[made], kserve_services=[kserve_service("web"), of_ours, aside])
    assert [(service.kind, service.key) for service in services(world)] == [("KServe InferenceService", "a/web")]


@pytest.mark.parametrize(
    ("pods", "want"),
    [
        pytest.param([], False, id="no pod yet"),
        pytest.param([pod("p", "aim-1", service="web")], False, id="a Deployment's pod"),
        pytest.param([pod("p", "aim-1", service="web", kserve="web")], True, id="KServe's pod"),
    ],
)
def test_whether_a_service_of_ours_runs_through_kserve_is_seen_by_its_pods(pods: list[Any], want: bool) -> None:
    [found] = services(World(services=[inference_service("web")], pods=pods))
    assert found.through_kserve is want


def test_wishes_carry_the_declared_reason() -> None:
    applied = [deployment("web"), deployment("big", expect="TooLarge"), deployment("plain", opted_in=False)]
    assert wishes(applied) == (Wish("Deployment", "a/web"), Wish("Deployment", "a/big", "TooLarge"))


OUTCOMES = [
    pytest.param("TooLarge", [refused("aim-1", "TooLarge")], "", id="refused as declared"),
    pytest.param("TooLarge", [refused("aim-1", "Other")], "Other: because", id="refused for another reason"),
    pytest.param("TooLarge", [claim("aim-1")], "is running; it should be refused", id="runs though it should not"),
    pytest.param(None, [claim("aim-1")], "", id="runs as it should"),
    pytest.param(None, [refused("aim-1", "TooLarge")], "it should be allocated", id="refused though it should run"),
]


@pytest.mark.parametrize(("declared", "claims", "want_part"), OUTCOMES)
def test_unfulfilled(declared: str | None, claims: list[dict[str, Any]], want_part: str) -> None:
    world = World(deployments=[deployment("web")], pods=[pod("p", "aim-1", app="web")], claims=claims)
    sentences = unfulfilled(services(world), [Wish("Deployment", "a/web", declared)])
    assert len(sentences) == bool(want_part)
    assert want_part in "".join(sentences)


def test_a_service_that_vanished_or_was_never_asked_for_is_not_as_expected() -> None:
    found = services(World(deployments=[deployment("stray")]))
    assert unfulfilled(found, [Wish("Deployment", "a/web")]) == [
        "Deployment a/web is not there; it should be allocated with its pods Ready",
        "Deployment a/stray was not applied by this run",
    ]


def test_only_what_was_applied_counts_as_fulfilled() -> None:
    found = [Service("Deployment", key, Standing.RUNNING) for key in ("a/web", "a/of-a-user")]
    assert fulfilled(found, [Wish("Deployment", "a/web"), Wish("Deployment", "a/gone")]) == 1
