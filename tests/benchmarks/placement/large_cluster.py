"""A cluster of many nodes in the operator's informers, each of eight GPUs in CPX: 64 partitions a node."""

import orjson

from controller.runtime.cache.messages import Applied
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.lease import Lease
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster, Object
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object

GPUS = 8
PARTITIONS = 64


def large_cluster(nodes: int, claims: int) -> FedCluster:
    """`nodes` nodes whose agents are alive, and `claims` bound claims, one a node; every object decoded by itself.

    Objects come from JSON, as from an API server, and are prepared as the informer does what its watch brings. Nodes are
    of one make, and no two GPUs have the same count of errors.
    """
    fed = FedCluster()
    cluster = fed.cluster
    inventory = orjson.dumps(gpu_node("worker", *(gpu(number) for number in range(GPUS))))
    names = [f"worker-{number:05}" for number in range(nodes)]
    fed.listed(cluster.nodes, *(node_object(name) for name in names))
    fed.listed(
        cluster.gpu_nodes,
        *(cluster.gpu_nodes._prepare(_named(inventory, name, number)) for number, name in enumerate(names)),
    )
    fed.listed(cluster.leases, *(lease(name) for name in names))
    for name in names:
        cluster.leases._take(_renewed(name))
    for number in range(claims):
        fed.put(cluster.claims, claim_on(number, names[number % nodes], 0))
    return fed


def claim_on(number: int, node: str, index: int) -> Object:
    """A bound claim on a partition of the node's first GPU."""
    return bound_claim(f"aim-{number:06}", node, 0, index)


def _named(inventory: bytes, name: str, number: int) -> Object:
    made: Object = orjson.loads(inventory)
    for place, each in enumerate(made["status"]["gpus"]):
        each["ecc"] = {"correctable": number * GPUS + place}
    made["metadata"] = made["metadata"] | {"name": name, "uid": f"gpu-node-{name}"}
    return made


def _renewed(name: str) -> Applied[Lease]:
    return Applied(typed(lease(name, beat=1), Lease))
