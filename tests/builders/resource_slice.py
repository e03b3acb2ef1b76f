"""ResourceSlices as the driver publishes them."""

from typing import Any

from controller.placement.snapshot import Gpu


def resource_slice(
    node: str = "worker-0", *gpus: Gpu, generation: int = 1, number: int = 0, driver: str = "gpu.amd.com"
) -> dict[str, Any]:
    """One slice with every partition of `gpus`."""
    return {
        "metadata": {
            "name": f"{node}-{driver}-{number}",
            "uid": f"slice-{node}-{driver}-{number}",
            "resourceVersion": "1",
        },
        "spec": {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": node, "generation": generation, "resourceSliceCount": 1},
            "devices": [
                {
                    "name": partition.device,
                    "attributes": {"partitionProfile": {"string": each.mode.profile}},
                }
                for each in gpus
                for partition in each.partitions
            ],
        },
    }
