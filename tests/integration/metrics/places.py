"""Where the story's objects are on the API server, and what they are called."""

from typing import Final

AIM: Final = "/apis/aim.amd.com/v1beta1"
TEAM: Final = "team-a"

SERVICES: Final = f"{AIM}/namespaces/{TEAM}/inferenceservices"
DEPLOYMENTS: Final = f"/apis/apps/v1/namespaces/{TEAM}/deployments"
KUBERNETES_SERVICES: Final = f"/api/v1/namespaces/{TEAM}/services"
PLANS: Final = f"{AIM}/repartitionplans"
POLICIES: Final = f"{AIM}/gpusharingpolicies"
PROFILES: Final = f"{AIM}/modelprofiles"
RESOURCE_CLAIMS: Final = f"/apis/resource.k8s.io/v1/namespaces/{TEAM}/resourceclaims"
SLICES: Final = f"/apis/discovery.k8s.io/v1/namespaces/{TEAM}/endpointslices"
BUDGETS: Final = f"/apis/policy/v1/namespaces/{TEAM}/poddisruptionbudgets"
LEASE: Final = "/apis/coordination.k8s.io/v1/namespaces/aim-gpu-system/leases/aim-gpu-operator"


PROFILE: Final = "chat-8b"
PRODUCT_THAT_FILLS: Final = "MI325X"
PRODUCT_IN_PIECES: Final = "MI350X"
