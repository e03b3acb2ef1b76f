"""What the programs of a real node read at their start: kubelet, containerd, the CNI plugins and kube-proxy.

Paths are those inside the node's namespaces.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2e.plane.node.network import Subnet

PAUSE_IMAGE = "localhost/pause:1"
KUBELET_ROOT = "/var/lib/kubelet"
CDI_FOLDER = "/var/run/cdi"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
CLUSTER_DOMAIN = "cluster.local"

KERNEL_SETTINGS: Mapping[str, str] = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""Files below /proc/sys -> what kubelet wants to find there. It would write them otherwise, for the whole machine: a
node sees files of its own in their place."""

NETWORK_SETTINGS: Mapping[str, str] = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
}
"""Files below /proc/sys -> what a node has in its own network namespace: pods send to it what is for Services, and must
not be told a shorter way, on which nobody knows Services."""


def kubelet(
    *, authority: Path, address: str, cgroup: str, cgroup_version: int, cluster_dns: str | None
) -> dict[str, Any]:
    """A KubeletConfiguration, with everybody authenticated and authorised by the API server."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "clusterDomain": CLUSTER_DOMAIN,
        **({"clusterDNS": [cluster_dns]} if cluster_dns else {}),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        **({"failCgroupV1": False} if cgroup_version == 1 else {}),
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,  # an image that was imported cannot be pulled again
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,  # less takes a right that containers of CI do not have
        "protectKernelDefaults": True,
        "resolvConf": "",
        "syncFrequency": "5s",  # a claim whose preparation failed is tried again that soon, instead of after a minute
    }


def containerd(*, runc: Path, cni_plugins: Path, cni_folder: Path, snapshotter: str) -> str:
    """containerd's configuration, in TOML."""
    runtime = "plugins.'io.containerd.cri.v1.runtime'"
    images = "plugins.'io.containerd.cri.v1.images'"
    return f"""version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.nri.v1.nri']

[grpc]
address = '{CONTAINERD_SOCKET}'

[{images}]
snapshotter = '{snapshotter}'
[{images}.pinned_images]
sandbox = '{PAUSE_IMAGE}'

[{runtime}]
enable_cdi = true
cdi_spec_dirs = ['{CDI_FOLDER}']
restrict_oom_score_adj = true
[{runtime}.cni]
bin_dirs = ['{cni_plugins}']
conf_dir = '{cni_folder}'
[{runtime}.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[{runtime}.containerd.runtimes.runc.options]
BinaryName = '{runc}'
SystemdCgroup = false
"""


def cni(subnet: Subnet, index: int) -> dict[str, Any]:
    """Pods are ports of the node's bridge; what is not on the network they send to the node, which knows Services."""
    first, last = subnet.pods(index)
    addresses = {"subnet": str(subnet.network), "rangeStart": first, "rangeEnd": last, "gateway": subnet.node(index)}
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": False,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[addresses]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    return {"cniVersion": "1.0.0", "name": "plane", "plugins": [bridge]}


def kube_proxy(*, kubeconfig: Path, hostname: str, address: str) -> dict[str, Any]:
    """A KubeProxyConfiguration.

    All is masqueraded: answers of a pod or of the host on the same Ethernet would bypass the node otherwise.
    """
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": address,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
        "hostnameOverride": hostname,
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "nftables",
        "nftables": {"masqueradeAll": True, "minSyncPeriod": "0s", "syncPeriod": "30s"},
        "nodePortAddresses": [f"{address}/32"],
    }
