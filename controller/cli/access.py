"""What who asks may read, by SelfSubjectAccessReviews: names of others are told to those who may get them."""

from dataclasses import dataclass, field
from typing import Final

from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.client.errors import Forbidden, NotFound
from controller.runtime.client.resource import Resource
from controller.state.kinds import GPU_PARTITION_CLAIMS

REVIEWS: Final = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)


@dataclass(slots=True)
class Access:
    """Asks the API server, once an object: who may not even ask may read nothing."""

    client: Client
    _answers: dict[tuple[str, str, str], bool] = field(default_factory=dict)

    async def may_get(self, resource: Resource, namespace: str, name: str) -> bool:
        """Whether the person may get the object."""
        asked = (resource.plural, namespace, name)
        if asked not in self._answers:
            self._answers[asked] = await self._ask(resource, namespace, name)
        return self._answers[asked]

    async def named(self, kind: str, holder: str) -> str | None:
        """The holder's name, `namespace/name` of a claim of ours or of a ResourceClaim; None for who may not get it."""
        namespace, _, name = holder.partition("/")
        resource = GPU_PARTITION_CLAIMS if kind == "ours" else RESOURCE_CLAIMS
        return holder if await self.may_get(resource, namespace, name) else None

    async def _ask(self, resource: Resource, namespace: str, name: str) -> bool:
        attributes = {
            "verb": "get",
            "group": resource.group,
            "resource": resource.plural,
            "namespace": namespace,
            "name": name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": REVIEWS.kind,
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = await self.client.create(REVIEWS, review)
        except (Forbidden, NotFound):
            return False
        return bool(answer["status"]["allowed"])
