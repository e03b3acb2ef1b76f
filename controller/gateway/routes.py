"""From a path to an operation, and from a body's model, a caller and a Host to the service that answers. Pure.

The key of a service is (namespace, model). A caller's key says which namespaces it may call, and a Host can stand for
one of them; a bare model is looked for among these services alone. So another team's model is not found, no matter
what it is named, and a name that several of the caller's services have is refused rather than guessed.
"""

from collections.abc import Iterable
from enum import Enum

from controller.gateway.configuration import Caller, GatewayConfiguration, ServiceRoute
from controller.gateway.errors import Problem

SCOPES_REMEMBERED = 4096
"""Of different sets of namespaces; more than there are callers of different rights in any cluster we know of."""


class Operation(Enum):
    """What can be asked of a model, by its usual path."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    EMBEDDINGS = "/v1/embeddings"
    RERANK = "/v1/rerank"
    MODELS = "/v1/models"

    @property
    def generates(self) -> bool:
        """Whether its answer is tokens that are made one by one, and may be streamed."""
        return self in (Operation.CHAT, Operation.COMPLETIONS)


_PATHS = {operation.value: operation for operation in Operation} | {
    "/rerank": Operation.RERANK,  # as engines name it besides, for clients of other makers
    "/v2/rerank": Operation.RERANK,
}
_ONE_MODEL = Operation.MODELS.value + "/"


def find_operation(method: str, path: str) -> Operation | Problem:
    """The operation of a request; a path has no query here. `/v1/models/NAME` is MODELS too."""
    operation = _PATHS.get(path)
    if operation is None and path.startswith(_ONE_MODEL):
        operation = Operation.MODELS
    if operation is None:
        return Problem(404, "UnknownPath", f"nothing is served at {path}: use one of {', '.join(_PATHS)}")
    wanted = "GET" if operation is Operation.MODELS else "POST"
    if method != wanted:
        return Problem(405, "MethodNotAllowed", f"{path} takes {wanted}, not {method}", allow=wanted)
    return operation


class RouteTable:
    """The services of one configuration, by what callers may name.

    `duplicates` has, for each namespace, the names that more than one of its services go by, with their services: there
    no host or key can tell them apart, so only "namespace/name" reaches them.
    """

    def __init__(self, configuration: GatewayConfiguration) -> None:
        self._services = configuration.services
        self._hosts = configuration.host_namespaces
        self._exact = {service.key: service for service in configuration.services}
        self._scopes: dict[tuple[frozenset[str] | None, str | None, str], dict[str, ServiceRoute | Problem]] = {}
        self.duplicates = _duplicates(configuration.services)

    def resolve(self, model: str, caller: Caller, host: str | None = None) -> ServiceRoute | Problem:
        """The service that `model` means for this caller, or why there is none."""
        scope = self._scope(caller, host)
        return scope.get(model) or _not_found(model)

    def models(self, caller: Caller, host: str | None = None) -> list[tuple[str, ServiceRoute]]:
        """The services that the caller may call, sorted, each by the shortest name that reaches it."""
        scope = self._scope(caller, host)
        shown = []
        for service in self._services:
            name = next((name for name in (service.name, service.key) if scope.get(name) is service), None)
            if name is not None:
                shown.append((name, service))
        return sorted(shown, key=lambda item: item[1].key)

    def _scope(self, caller: Caller, host: str | None) -> dict[str, ServiceRoute | Problem]:
        """What each name means among the services that are open to the caller."""
        namespace = self._hosts.get(host) if host is not None else None
        key = (caller.namespaces, namespace, caller.home)
        found = self._scopes.get(key)
        if found is None:
            if len(self._scopes) >= SCOPES_REMEMBERED:
                self._scopes.clear()
            services = [
                service
                for service in self._services
                if caller.may_call(service.namespace) and namespace in (None, service.namespace)
            ]
            own = [service for service in services if service.namespace == caller.home]
            # No other team can take a name away from those whose own service has it.
            found = self._scopes[key] = _names(services) | _names(own)
        return found


def _names(services: Iterable[ServiceRoute]) -> dict[str, ServiceRoute | Problem]:
    by_name: dict[str, list[ServiceRoute]] = {}
    exact: dict[str, ServiceRoute | Problem] = {}
    for service in services:
        exact[service.key] = service
        for name in {service.name, *service.model_ids}:
            by_name.setdefault(name, []).append(service)
    names: dict[str, ServiceRoute | Problem] = {
        name: found[0] if len(found) == 1 else _ambiguous(name, found) for name, found in by_name.items()
    }
    # A model's id may look like "namespace/name" too: then the service of that name is meant, which no other can be.
    return names | exact


def _duplicates(services: Iterable[ServiceRoute]) -> dict[str, dict[str, tuple[ServiceRoute, ...]]]:
    found: dict[str, dict[str, list[ServiceRoute]]] = {}
    for service in services:
        for name in {service.name, *service.model_ids}:
            found.setdefault(service.namespace, {}).setdefault(name, []).append(service)
    several = {
        namespace: {name: tuple(named) for name, named in names.items() if len(named) > 1}
        for namespace, names in found.items()
    }
    return {namespace: names for namespace, names in several.items() if names}


def _ambiguous(name: str, services: list[ServiceRoute]) -> Problem:
    keys = ", ".join(sorted(service.key for service in services))
    return Problem(
        409, "ModelAmbiguous", f"model {name!r} is served by {keys}: write one of these instead", param="model"
    )


def _not_found(model: str) -> Problem:
    shown = model if len(model) <= 200 else f"{model[:200]}..."
    return Problem(
        404,
        "ModelNotFound",
        f"no model {shown!r} is open to this caller: write a name that GET /v1/models lists",
        param="model",
    )
