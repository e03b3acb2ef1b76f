"""Programs of a real node that are C and come from the distribution, unpacked into the cache: nothing is installed.

What they need besides (libc, libseccomp) is there wherever apt is.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from e2e.plane.errors import NodeUnavailable, PackagesUnavailable
from e2e.plane.packages import Packages, ensure_unpacked
from e2e.plane.progress import Progress

PACKAGES = (
    "runc",
    "containernetworking-plugins",
    "busybox-static",
    # kube-proxy's, with the libraries that a small system lacks
    "nftables",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libxtables12",
    "libjansson4",
    "libgmp10",
    "libedit2",
    "libbsd0",
    "libmd0",
)
_NODE = Packages(PACKAGES, f"a real node takes {', '.join(PACKAGES[:3])}")


def ensure_packages(progress: Progress | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that the packages are unpacked in; an instant when they are there.

    Raises NodeUnavailable where there is no apt, and BuildError when it fails.
    """
    try:
        return ensure_unpacked(_NODE, progress or Progress(), environ)
    except PackagesUnavailable as error:
        raise NodeUnavailable(str(error)) from None


def packages_folder(root: Path) -> Path:
    """Where they are in the cache: by release of the distribution, machine, and list of packages."""
    return _NODE.folder(root)
