"""Which flat field of a GPUSharingPolicy stands for which place of the hub."""

from typing import Final

from api.conversion.kind_mapping import KindMapping
from api.conversion.row import row
from api.v1alpha1 import GPUSharingPolicy as Spoke
from api.v1beta1 import GPUSharingPolicy as Hub

GPU_SHARING_POLICY: Final = KindMapping(
    name="GPUSharingPolicy",
    hub=Hub,
    spoke=Spoke,
    rows=(
        row("nodeLabels", "nodeSelector.matchLabels"),
        row("namespaceLabels", "namespaceSelector.matchLabels"),
        row("scorer", "scorer"),
        row("allowedModes", "allowedModes"),
        row("validatedOnly", "validatedOnly"),
        row("binding", "binding"),
        row("repartitionEnabled", "repartition.enabled"),
        row("repartitionApproval", "repartition.approval"),
        row("maxParallelNodes", "repartition.maxParallelNodes", unit="nodes"),
        row("maxUnavailablePods", "repartition.maxUnavailablePods", unit="pods"),
        row("cooldown", "repartition.cooldown", unit="as written, e.g. 10m"),
        row("windows", "repartition.windows"),
        row("rollout", "rollout"),
        row("whenFull", "whenFull"),
        row("onUnhealthy", "onUnhealthy"),
        row("qosClasses", "qosClasses"),
        row("quotas", "quotas", unit="as written, e.g. 192Gi"),
        row("paused", "paused"),
    ),
)
"""GPUSharingPolicy, v1alpha1 and v1beta1."""
