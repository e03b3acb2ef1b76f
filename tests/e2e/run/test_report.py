from dataclasses import asdict

from e2e.run.checks import double_allocations
from e2e.run.report import faults, report
from e2e.run.services import services
from e2e.run.traffic.counted import Counted
from e2e.run.world import World
from tests.e2e.run.objects import claim, deployment, kserve_service, pod, refused, resource_claim

REQUESTS = [
    "requests",
    "failed",
    "first_token_p50_ms",
    "first_token_p99_ms",
    "flood_refused",
    "neighbour_wait_p99_ms",
    "neighbour_wait_bound_ms",
    "guarantees_broken",
]
WORLD = World(
    deployments=[deployment("web")],
    kserve_services=[kserve_service("big", allocated="False", ready="False")],
    pods=[pod("p", "aim-1", app="web"), pod("q", "aim-2", kserve="big")],
    claims=[claim("aim-1"), refused("aim-2", "TooLarge")],
    resource_claims=[resource_claim("aim-1", "gpu-0-128", reserved=("p",))],
)


def test_the_line_has_every_field_and_no_other() -> None:
    counted = report(WORLD, services(WORLD), (), [10.0, 20.04], 3.456)
    assert counted.document() == {
        "plane_ready_s": 3.46,
        "services": 2,
        "bound": 1,
        "pending": 1,
        "repartitions": 0,
        "double_allocations": 0,
        "rebinds": 0,
        "mismatches": 0,
        "claim_to_bound_p50_ms": 10.0,
        "claim_to_bound_p99_ms": 20.0,
        "kserve": 1,
    } | dict.fromkeys(REQUESTS)


def test_what_was_counted_of_requests_stands_beside_the_rest() -> None:
    requests = Counted(7, 1, 10.0, 20.0, 300, 5.0, 100.0, 0)
    document = report(WORLD, services(WORLD), (), [10.0], 3.4, requests).document()
    assert {name: document[name] for name in REQUESTS} == asdict(requests)
    assert list(document)[-len(REQUESTS) :] == REQUESTS


def test_a_run_without_faults_has_nothing_to_say() -> None:
    assert faults(WORLD, ()) == []


def test_a_planted_double_allocation_is_counted_and_named() -> None:
    planted = World(claims=[*WORLD.claims, claim("planted")], resource_claims=WORLD.resource_claims)
    doubles = double_allocations(planted)
    assert report(planted, (), doubles, (), 1.0).double_allocations == 1
    assert any("a/planted" in sentence for sentence in faults(planted, doubles))


def test_rebinds_and_mismatches_fail_a_run() -> None:
    world = World(claims=[claim("aim-1", rebinds=1)])
    assert [sentence.split()[0] for sentence in faults(world, ())] == ["claim", "claims"]
