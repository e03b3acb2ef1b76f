"""Nodes on which AMD's Device Config Manager sets the modes: two partitioners on one node undo each other's work."""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "dcm.amd.com/"
"""Domain of its labels: `gpu-config-profile` asks for a profile, `gpu-config-profile-state` tells how it went."""


def dcm_managed(labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels is the Device Config Manager's, by its request or by what it has done."""
    return any(key.startswith(PREFIX) for key in labels)


def is_partitioned_elsewhere(node: str, labels: Mapping[str, str]) -> str:
    """That such a node is left to it, by which labels, and what helps; the sentence goes on with a policy."""
    found = ", ".join(sorted(key for key in labels if key.startswith(PREFIX)))
    return (
        f"node {node} is partitioned by AMD's Device Config Manager, as {found} says, and two partitioners undo each "
        "other's work: remove the labels, or set repartition.ignoreDeviceConfigManager"
    )
