"""Writing the taint of a change to a Node: our entry alone, whoever else writes taints at the same time."""

from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import Conflict, Invalid, NotFound
from controller.translate.node_taint import taint_patch

#: How often a Node that others write is read again in one go.
ATTEMPTS = 3


async def set_taint(client: Client, node: str, value: str | None) -> bool:
    """Give the Node our taint with that value, or take it off (None); False when others keep writing the Node.

    The Node is read first, as the informer may lag. Raises Forbidden, and Invalid when the API server refuses it.
    """
    for _ in range(ATTEMPTS):
        try:
            patch = taint_patch(await client.get(NODES, node), value)
            if patch:
                await client.json_patch(NODES, node, patch)
        except NotFound:
            return True  # taints go with their Node
        except Conflict:
            continue
        except Invalid as error:
            if error.causes:  # a test that failed has none: the Node was written since it was read
                raise
            continue
        return True
    return False
