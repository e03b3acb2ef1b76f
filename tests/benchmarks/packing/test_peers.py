"""The ports against the product's scorers, which were written apart from them."""

import pytest

from controller.placement.packing.host import Ask
from controller.placement.packing.scorers.named import scorer_named
from controller.placement.packing.workload import Workload
from controller.placement.simulation import Experiment
from controller.placement.trace import TraceNode
from tests.benchmarks.packing.peers import PEERS, Port

NODES = [TraceNode(f"n{n}", 48000, 10**6, 4, "T4" if n % 3 else "G2") for n in range(12)]
PODS = [Ask(1000 * cpu, 10, 1, 50 * cpu) for cpu in range(2, 14)] * 3 + [
    Ask(16000, 10, 2, 1000),
    Ask(9000, 10),
    Ask(8000, 10, 1, 1000, frozenset({"T4"})),
]


@pytest.mark.parametrize(("name", "policy"), [("fgd", "FGD"), ("bestfit", "BestFit")])
def test_scorer_and_port_fill_a_cluster_alike(name: str, policy: str) -> None:
    workload = Workload.counted(PODS)
    experiment = Experiment(NODES, PODS, scorer_named(name, workload, {"T4": 32000, "G2": 16000}))
    port = Port(experiment, PEERS[policy](workload))
    for seed in range(5):
        want = port.run(seed).allocation_percent[130]
        assert experiment.run(seed).allocation_percent[130] == pytest.approx(want, abs=2.5)


@pytest.mark.parametrize("policy", PEERS)
def test_every_policy_places_what_fits(policy: str) -> None:
    pods = [Ask(1000, 1, 1, 500)]
    experiment = Experiment(NODES, pods, scorer_named("bestfit", Workload.counted(pods), {}))
    assert Port(experiment, PEERS[policy](Workload.counted(pods))).run(1).allocation_percent[130] == 100
