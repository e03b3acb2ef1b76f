"""Which webhooks the operator serves, and the objects by which the API server knows of them.

Every replica answers, leading or not: a list of another version, or a pod, must not wait for an election.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from api.conversion import ConversionError, convert
from api.group import GROUP, V1ALPHA1, V1BETA1
from api.openapi.crd import CONVERSION_PATH
from api.openapi.kind import GPU_SHARING_POLICY, INFERENCE_SERVICE
from controller.runtime.client.core import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from controller.runtime.manifest import Manifest
from controller.runtime.webhook.conversion import ConversionFailed
from controller.runtime.webhook.server import WebhookServer
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.webhooks import kserve_validation, policy_validation, service_validation
from controller.webhooks.kserve_validation import KServeValidator
from controller.webhooks.pod_binding import PodBinding
from controller.webhooks.pod_gate import PodGate
from controller.webhooks.policy_validation import PolicyValidator
from controller.webhooks.profile_mount import ProfileMount
from controller.webhooks.second_look import read_latest
from controller.webhooks.service_validation import ServiceValidator
from controller.webhooks.targets import Conversion, Target, WebhookConfiguration

POD_GATE_PATH: Final = "/mutate-pod"
POD_GATE: Final = WebhookConfiguration(MUTATING_WEBHOOKS, "aim-gpu-pod-gate", {"pod-gate.aim.amd.com": POD_GATE_PATH})
VALIDATION: Final = WebhookConfiguration(
    VALIDATING_WEBHOOKS,
    "aim-gpu-validation",
    {module.WEBHOOK: module.PATH for module in (service_validation, policy_validation, kserve_validation)},
)
CONVERTED: Final = tuple(f"{kind.plural}.{GROUP}" for kind in (INFERENCE_SERVICE, GPU_SHARING_POLICY))
"""The CustomResourceDefinitions of the kinds that are served in two versions."""


def serve_webhooks(server: WebhookServer, cluster: Cluster | None, sizing: Models | None) -> tuple[Target, ...]:
    """Have `server` answer all that is ours; gives the objects that must name it.

    Validation needs `cluster`, the tables it compares with, and `sizing`: without them it is not served, and every pod
    gets a ResourceClaim.
    """
    binding = PodBinding(cluster, sizing) if cluster is not None and sizing is not None else None
    profiles = ProfileMount(cluster, sizing) if cluster is not None and sizing is not None else None
    server.handle_admission(POD_GATE_PATH, PodGate(binding=binding, profiles=profiles, sizing=sizing))
    server.handle_conversion(CONVERSION_PATH, to_version)
    targets: list[Target] = [POD_GATE]
    if cluster is not None and sizing is not None:
        server.handle_admission(
            service_validation.PATH, ServiceValidator(cluster, sizing, partial(read_latest, cluster))
        )
        server.handle_admission(policy_validation.PATH, PolicyValidator(cluster))
        server.handle_admission(kserve_validation.PATH, KServeValidator(cluster, sizing))
        targets.append(VALIDATION)
    return (*targets, *(Conversion(name, CONVERSION_PATH, (V1ALPHA1, V1BETA1)) for name in CONVERTED))


def to_version(desired: str, objects: Sequence[Manifest]) -> list[Manifest]:
    """`objects` in the version `desired`. Raises ConversionFailed with what `api.conversion` says of a bad one."""
    try:
        return convert(desired, objects)
    except ConversionError as error:
        raise ConversionFailed(error.problem) from error
