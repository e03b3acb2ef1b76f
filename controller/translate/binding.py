"""How pods get their GPUs on a node: by ResourceClaims, or by the extended resources of AMD's device plugin."""

from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_partition_claim import Binding


def binding_of(policy: GPUSharingPolicy | None, *, dra_served: bool) -> Binding:
    """The binding on a node that `policy` rules, None where none does.

    Without `resource.k8s.io/v1` there are no ResourceClaims, whatever a policy says.
    """
    if not dra_served or (policy is not None and policy.spec.binding is Binding.DEVICE_PLUGIN):
        return Binding.DEVICE_PLUGIN
    return Binding.DRA
