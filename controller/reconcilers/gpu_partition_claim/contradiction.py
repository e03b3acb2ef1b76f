"""A pod that carries an InferenceService's label asks for what that service asks for, and for nothing else."""

from api.group import POLICY, QOS_CLASS, SERVICE_LABEL
from api.v1beta1 import InferenceService
from controller.translate.pod import PodView
from controller.translate.request import Problem


def contradiction(pod: PodView, policy: str | None, service: InferenceService | None) -> tuple[str, str] | None:
    """The reason and sentence for a policy or class that is not the service's; None without a service.

    A pod need not name a class: the service's holds.

    `policy` is the claim's: what the pod named when its claim was made. How many devices a pod asks the device plugin
    for was settled when the pod was made, too; with a ResourceClaim it is not the pod that asks.
    """
    if service is None:
        return None
    spec, name = service.spec, service.metadata.name
    for key, asked, field, said in (
        (POLICY, policy, "spec.gpuSharing.policyRef", spec.gpu_sharing.policy_ref),
        (QOS_CLASS, pod.annotations.get(QOS_CLASS) or None, "spec.qos.class", spec.qos.class_),
    ):
        if asked != said and (asked or key != QOS_CLASS):
            sentence = (
                f"contradicts {field} {said or ''!r} of InferenceService {name}; change it there and delete the pod, "
                f"or leave label {SERVICE_LABEL} out"
            )
            return "ServiceMismatch", str(Problem(key, asked or "", sentence))
    wanted, count = spec.gpu_sharing.partition.count, pod.devices.get(pod.resource) if pod.resource else None
    if count is not None and count != wanted:
        sentence = f"contradicts spec.gpuSharing.partition.count {wanted} of InferenceService {name}; delete the pod"
        return "ServiceMismatch", str(Problem(pod.resource, str(count), sentence))
    return None
