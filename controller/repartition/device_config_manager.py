"""Nodes on which AMD's Device Config Manager sets the modes: two partitioners on one node undo each other's work."""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "dcm.amd.com/"
"""Domain of its labels: `gpu-config-profile` asks for a profile, `gpu-config-profile-state` tells how it went."""


def dcm_managed(labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels is the Device Config Manager's, by its request or by what it has done."""
    return any(key.startswith(PREFIX) for key in labels)
