"""The products of the GPUs that the agents reported."""

from api.v1beta1 import GPUNode
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest


class Products:
    """Follows an informer of GPUNodes; `known` is worked out when a node's products change."""

    def __init__(self) -> None:
        self._by_node: dict[str, frozenset[str]] = {}
        self.known: frozenset[str] = frozenset()

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Apply one informer event."""
        found = products_of(event.new)
        if found == self._by_node.get(event.key, frozenset()):
            return
        self._by_node.pop(event.key, None)
        if found:
            self._by_node[event.key] = found
        self.known = frozenset().union(*self._by_node.values())


def products_of(gpu_node: Manifest | None) -> frozenset[str]:
    """The products of one GPUNode's GPUs, as its agent names them; of one that cannot be read, none."""
    if gpu_node is None:
        return frozenset()
    try:
        return frozenset(gpu.product for gpu in GPUNode.model_validate(gpu_node).status.gpus)
    except ValueError:
        return frozenset()
