"""ReplicaSets (apps/v1): whose they are, and how many pods they are to have."""

from controller.runtime.objects.metadata import ApiStruct, KubeObject


class ReplicaSetSpec(ApiStruct, frozen=True, kw_only=True):
    """How many pods there are to be; the API server writes 1 where nobody said. The template is left out."""

    replicas: int = 1


ONE_POD = ReplicaSetSpec()


class ReplicaSet(KubeObject, frozen=True, kw_only=True):
    """A ReplicaSet."""

    api_version: str = "apps/v1"
    kind: str = "ReplicaSet"
    spec: ReplicaSetSpec = ONE_POD
