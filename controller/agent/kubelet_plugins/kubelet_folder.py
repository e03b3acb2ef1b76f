"""Where things are in a kubelet's folder, by default `/var/lib/kubelet`. Pure."""

from pathlib import Path

from controller.binding.dra import DRIVER

LONGEST_SOCKET_PATH = 107
"""Bytes of a unix socket's path that the kernel takes."""


def driver_socket(root: Path) -> Path:
    """Where a DRA driver listens."""
    return root / "plugins" / DRIVER / "dra.sock"


def registration_socket(root: Path) -> Path:
    """Where the kubelet looks for it: the longest of these paths."""
    return root / "plugins_registry" / f"{DRIVER}-reg.sock"


def kubelet_socket(root: Path) -> Path:
    """Where the kubelet takes registrations of device plugins."""
    return root / "device-plugins" / "kubelet.sock"


def resource_socket(root: Path, resource: str) -> Path:
    """Where the device plugin of that resource listens."""
    return root / "device-plugins" / f"{resource.replace('/', '_')}.sock"


def pod_resources_socket(root: Path) -> Path:
    """Where the kubelet tells what it gave to whom."""
    return root / "pod-resources" / "kubelet.sock"
