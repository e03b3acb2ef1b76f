"""A real node's files and command lines: what is written before its processes start, and how each is started."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from e2e.plane.components import CLUSTER_DNS, Site
from e2e.plane.node import cgroups, configuration, init
from e2e.plane.node.network import Subnet
from e2e.plane.node.real_node import OWN_FOLDERS, RealNode

KUBE_PROXY_USER = "system:kube-proxy"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SCRIPT = (sys.executable, "-I", "-S")
_SHARED_WITH_NOBODY = ("--mount", "--pid", "--net", "--ipc", "--uts", "--mount-proc", "--propagation", "private")


@dataclass(frozen=True, slots=True)
class Command:
    """How a process is started, and what it finds in its environment besides the plane's own."""

    argv: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs of a node are: built ones by name, and the distribution's packages, unpacked."""

    built: Mapping[str, Path]
    packages: Path

    def packaged(self, *places: str) -> Path:
        """The first of these paths that the packages have: /bin may be /usr/bin. Raises FileNotFoundError."""
        for place in places:
            if (self.packages / place).exists():
                return self.packages / place
        raise FileNotFoundError(f"none of {', '.join(places)} is in {self.packages}: remove that folder and try again")

    @property
    def libraries(self) -> str:
        """Where the packages' own shared libraries are, as LD_LIBRARY_PATH."""
        return ":".join(str(folder) for folder in sorted(self.packages.glob("**/lib/*-linux-gnu")))


def node_user(name: str) -> str:
    """Who a node's kubelet is for the API server."""
    return f"system:node:{name}"


def write_files(node: RealNode, subnet: Subnet, site: Site, programs: Programs, cgroup: str) -> None:
    """Write the configuration of all processes of a node, and make its own folders."""
    write_own_folders(node, configuration.KERNEL_SETTINGS)
    (node.folder / "cni").mkdir(mode=0o755)
    containerd = configuration.containerd(
        runc=programs.packaged("usr/sbin/runc", "usr/bin/runc"),
        cni_plugins=programs.packaged("usr/lib/cni"),
        cni_folder=node.folder / "cni",
        snapshotter=snapshotter(node.folder),
    )
    (node.folder / "containerd.toml").write_text(containerd, encoding="utf-8")
    kubelet = configuration.kubelet(
        authority=site.credentials.authority,
        address=node.address,
        cgroup=cgroup,
        cgroup_version=cgroups.version(),
        cluster_dns=CLUSTER_DNS,
    )
    kube_proxy = configuration.kube_proxy(
        kubeconfig=site.kubeconfigs[KUBE_PROXY_USER], hostname=node.name, address=node.address
    )
    for name, content in {"kubelet": kubelet, "kube-proxy": kube_proxy}.items():
        (node.folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    (node.folder / "cni" / "plane.conflist").write_text(json.dumps(configuration.cni(subnet, node.index)))


def commands(node: RealNode, site: Site, programs: Programs) -> dict[str, Command]:
    """Component -> its command, in the order in which they start."""
    built = programs.built
    nft = f"{programs.packaged('usr/sbin')}:{_PATH}"
    kubelet = [
        str(built["kubelet"]),
        f"--config={node.folder / 'kubelet.yaml'}",
        f"--kubeconfig={site.kubeconfigs[node_user(node.name)]}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        f"--root-dir={configuration.KUBELET_ROOT}",
    ]
    kube_proxy = [str(built["kube-proxy"]), f"--config={node.folder / 'kube-proxy.yaml'}"]
    return {
        node.name: Command(namespaces(node, configuration.KERNEL_SETTINGS)),
        node.containerd: Command(
            node.command(str(built["containerd"]), f"--config={node.folder / 'containerd.toml'}"),
            {"PATH": f"{built['containerd-shim-runc-v2'].parent}:{_PATH}"},
        ),
        node.kubelet: Command(node.command(*kubelet), {"PATH": _PATH}),
        node.kube_proxy: Command(node.command(*kube_proxy), {"PATH": nft, "LD_LIBRARY_PATH": programs.libraries}),
    }


def snapshotter(folder: Path, mounts: str | None = None) -> str:
    """How containerd is to lay images on each other below `folder`: overlays cannot lie on an overlay."""
    text = Path("/proc/self/mounts").read_text(encoding="utf-8") if mounts is None else mounts
    above = [line.split() for line in text.splitlines() if folder.is_relative_to(line.split()[1])]
    return "native" if max(above, key=lambda fields: len(fields[1]))[2] == "overlay" else "overlayfs"


def namespaces(node: RealNode, kernel_settings: Mapping[str, str]) -> list[str]:
    """The command of the process that makes a node's namespaces and holds them."""
    binds = {str(node.folder / folder): place for place, folder in OWN_FOLDERS.items()}
    masks = {str(_mask(node, name)): f"/proc/sys/{name}" for name in kernel_settings}
    told = {
        "hostname": node.name,
        "binds": binds,
        "masks": masks,
        "settings": configuration.NETWORK_SETTINGS,
        "ready": str(node.ready_file),
    }
    return ["unshare", "--fork", "--kill-child", *_SHARED_WITH_NOBODY, *_SCRIPT, init.__file__, json.dumps(told)]


def write_own_folders(node: RealNode, kernel_settings: Mapping[str, str]) -> None:
    """Make what the namespaces show in the place of the host's."""
    for folder in (*OWN_FOLDERS.values(), "sysctl"):
        (node.folder / folder).mkdir(parents=True, mode=0o755)
    for name, value in kernel_settings.items():
        _mask(node, name).write_text(f"{value}\n", encoding="ascii")


def _mask(node: RealNode, name: str) -> Path:
    return node.folder / "sysctl" / name.replace("/", ".")
