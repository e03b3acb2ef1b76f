"""Managed nodes as rows of gauges."""

from datetime import timedelta

from controller.state.node_gauges import NodeGauges
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node


def watched() -> tuple[FedCluster, NodeGauges]:
    fed = FedCluster()
    gauges = NodeGauges(fed.cluster.gpu_node_table, fed.cluster.heartbeats)
    fed.cluster.gpu_nodes.add_handler(gauges.take)
    return fed, gauges


def test_unhealthy_and_missing_partitions_are_counted_and_a_healthy_node_tells_0() -> None:
    fed, gauges = watched()
    fed.add_node("worker-0")
    fed.add_node("worker-1", gpu(0, unhealthy=(1, 2)), gpu(1))
    sick = gpu_node("worker-2")
    sick["status"]["gpus"][0]["missingPartitions"] = 3
    sick["status"]["missingGpus"] = [{"bdf": bdf(5), "since": "2026-01-01T00:00:00Z"}]
    fed.put(fed.cluster.gpu_nodes, sick)
    assert gauges.unhealthy() == [(("worker-0",), 0.0), (("worker-1",), 2.0), (("worker-2",), 4.0)]
    fed.put(fed.cluster.gpu_nodes, gpu_node("worker-1"))
    fed.put(fed.cluster.gpu_nodes, gpu_node("worker-2", managed=False))
    fed.drop(fed.cluster.gpu_nodes, gpu_node("worker-0"))
    assert gauges.unhealthy() == [(("worker-1",), 0.0)]


def test_nothing_is_placed_on_a_gpu_whose_mode_cannot_be_read_so_all_of_it_counts_once() -> None:
    fed, gauges = watched()
    sick = gpu_node("worker-0", gpu(0, unhealthy=(1,)), gpu(1))
    del sick["status"]["gpus"][0]["mode"]
    fed.put(fed.cluster.gpu_nodes, sick)
    assert gauges.unhealthy() == [(("worker-0",), float(len(sick["status"]["gpus"][0]["partitions"])))]


def test_an_agent_that_was_not_heard_of_is_told_as_lost_once_there_was_time_to_hear_of_it() -> None:
    fed, gauges = watched()
    fed.add_node("worker-0")
    fed.add_node("worker-1", alive=False)
    assert gauges.agents() == [(("worker-0",), 1.0)]
    fed.clock.set(fed.clock.now() + timedelta(seconds=39))
    fed.beat("worker-0")
    fed.clock.set(fed.clock.now() + timedelta(seconds=2))
    assert gauges.agents() == [(("worker-0",), 1.0), (("worker-1",), 0.0)]
    fed.clock.set(fed.clock.now() + timedelta(seconds=41))
    assert gauges.agents() == [(("worker-0",), 0.0), (("worker-1",), 0.0)]
    fed.beat("worker-0")
    assert gauges.agents()[0] == (("worker-0",), 1.0)
