"""Names that parameters of verbs can have: from the catalogue, the kubeconfig, and the cluster within a time limit.

Whatever fails gives no names: who presses Tab is not told of a cluster that does not answer.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from controller.runtime.client.configuration import ClientConfiguration

#: Longest that a cluster is asked, seconds, and how many names it is asked for.
LIMIT_SECONDS: Final = 1.5
MOST_NAMES: Final = 500

_PLANS: Final = "plans"
_GPU_NODES: Final = "gpu nodes"
_NAMESPACES: Final = "namespaces"
_MODELS: Final = "models"
_PRODUCTS: Final = "products"
_MODES: Final = "modes"
_CONTEXTS: Final = "contexts"
_OBJECTS: Final = "objects"

_BY_PARAMETER: Final[Mapping[tuple[str, str], str]] = {
    ("approve", "plan"): _PLANS,
    ("rollback", "plan"): _PLANS,
    ("drain", "node"): _GPU_NODES,
    ("top", "nodes"): _GPU_NODES,
    ("explain", "what"): _OBJECTS,
    ("size", "model"): _MODELS,
    ("size", "same_as"): _MODELS,
    ("size", "gpu"): _PRODUCTS,
    ("size", "partition"): _MODES,
    ("profiles show", "model"): _MODELS,
    ("profiles show", "mode"): _MODES,
    ("profiles show", "gpu"): _PRODUCTS,
    ("profiles list", "gpu"): _PRODUCTS,
    ("profiles generate", "gpu"): _PRODUCTS,
}
_ANYWHERE: Final[Mapping[str, str]] = {
    "namespace": _NAMESPACES,
    "system_namespace": _NAMESPACES,
    "context": _CONTEXTS,
}


def names(verb: str, parameter: str, typed: str, given: Mapping[str, str]) -> Iterable[str] | None:
    """See `completer.Known`."""
    match _BY_PARAMETER.get((verb, parameter)) or _ANYWHERE.get(parameter):
        case "models":
            from controller.sizing.catalog import Catalog

            return sorted(Catalog.bundled().known_ids())
        case "products":
            from controller.gpu.product import PRODUCTS

            return list(PRODUCTS)
        case "modes":
            return _modes(given)
        case "contexts":
            return _contexts(given)
        case "objects":
            return _objects(typed, given)
        case None:
            return None
        case sort:
            return _in_cluster(sort, given)


def _modes(given: Mapping[str, str]) -> list[str]:
    """Those of the product that is given, else those of any."""
    from controller.gpu.product import PRODUCTS

    named = PRODUCTS.get(given.get("gpu", ""))
    products = PRODUCTS.values() if named is None else (named,)
    return list(dict.fromkeys(str(mode) for product in products for mode in product.allowed))


def _contexts(given: Mapping[str, str]) -> list[str]:
    from controller.runtime.client.configuration import ConfigurationError
    from controller.runtime.client.kubeconfig_files import merge

    named, listed = _path(given), os.environ.get("KUBECONFIG", "")
    found = [named] if named is not None else [Path(each) for each in listed.split(os.pathsep) if each]
    try:
        return sorted(merge(found or [Path("~/.kube/config").expanduser()]).sections["contexts"])
    except ConfigurationError:
        return []


def _objects(typed: str, given: Mapping[str, str]) -> list[str]:
    """Kinds with their slash, then names of that kind."""
    from controller.cli.subject import NAMES, Kind

    kind, slash, _ = typed.partition("/")
    if not slash:
        others = (each for each in NAMES if typed and each.startswith(typed))
        return [f"{each}/" for each in dict.fromkeys((*(kind.value for kind in Kind), *others))]
    found = NAMES.get(kind)
    return [f"{kind}/{name}" for name in _in_cluster(found.value, given)] if found is not None else []


def _in_cluster(sort: str, given: Mapping[str, str]) -> list[str]:
    import asyncio  # by those who need a cluster, as all below

    from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
    from controller.runtime.client.errors import ApiError

    try:
        configuration = ClientConfiguration.load(_path(given), given.get("context"))
        return asyncio.run(_listed(sort, configuration, given.get("namespace")))
    except (ApiError, ConfigurationError, TimeoutError, OSError):
        return []


async def _listed(sort: str, configuration: "ClientConfiguration", namespace: str | None) -> list[str]:
    import asyncio

    from controller.runtime.client.client import Client, Selection
    from controller.runtime.client.core import NAMESPACES, PODS
    from controller.state.kinds import (
        GPU_NODES,
        GPU_PARTITION_CLAIMS,
        INFERENCE_SERVICES,
        KSERVE_SERVICES,
        REPARTITION_PLANS,
    )

    resource = {
        _PLANS: REPARTITION_PLANS,
        _GPU_NODES: GPU_NODES,
        _NAMESPACES: NAMESPACES,
        "node": GPU_NODES,
        "claim": GPU_PARTITION_CLAIMS,
        "pod": PODS,
        "inferenceservice": INFERENCE_SERVICES,
        "inferenceservice.serving.kserve.io": KSERVE_SERVICES,
    }[sort]
    where = (namespace or configuration.namespace) if resource.namespaced else None
    async with asyncio.timeout(LIMIT_SECONDS), Client(configuration, user_agent="aim-gpu") as client:
        page = await client.list_page(resource, Selection(where), limit=MOST_NAMES, resource_version="0")
    return sorted(each["metadata"]["name"] for each in page.items)


def _path(given: Mapping[str, str]) -> Path | None:
    return Path(given["kubeconfig"]) if given.get("kubeconfig") else None
