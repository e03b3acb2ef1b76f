"""Real nodes of a plane: kubelet, containerd, runc and kube-proxy, each node in private namespaces of this machine.

In: programs built from Go modules, packages of the distribution that are unpacked and not installed, `Plane` with its
supervisor. Out: nodes on which containers run, reachable from the host, of which nothing stays behind. Needs root on
Linux; `why_not` says what is in the way.
"""

from e2e.plane.node.images import BUSYBOX_IMAGE, Image, write_images
from e2e.plane.node.preflight import why_not
from e2e.plane.node.real_node import RealNode

__all__ = ["BUSYBOX_IMAGE", "Image", "RealNode", "why_not", "write_images"]
