"""The command line of each process of a plane.

etcd speaks plain HTTP on the loopback address: other users of the machine can read a plane's data. Nothing real
belongs into one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.plane.credentials import Credentials
from e2e.plane.ports import LOOPBACK

HERE = Path(__file__).parent
STAGES = tuple(sorted((HERE / "stages").glob("*.yaml")))
AUDIT_POLICY = HERE / "manifests" / "audit-policy.yaml"

ETCD = "etcd"
APISERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"

SERVICE_RANGE = "10.0.0.0/20"
API_ADDRESS = "10.0.0.1"  # of the Service `kubernetes`: the first of the range
CLUSTER_DNS = "10.0.0.10"  # of real nodes' pods
POD_RANGE = "10.244.0.0/16"  # KWOK's own default is the service range above

# A client throttle would be measured instead of the operator.
_UNTHROTTLED = ("--kube-api-qps=2000", "--kube-api-burst=4000")


@dataclass(frozen=True, slots=True)
class Site:
    """Everything the command lines of one plane are made of. `kubeconfigs` is by user, `address` kube-apiserver's."""

    folder: Path
    credentials: Credentials
    kubeconfigs: Mapping[str, Path]
    address: str
    apiserver_port: int
    etcd_port: int
    etcd_peer_port: int

    @property
    def audit_log(self) -> Path:
        """Where kube-apiserver writes its audit log, a JSON object a line."""
        return self.folder / "audit.log"


def arguments(site: Site) -> dict[str, list[str]]:
    """Component -> its arguments, in the order in which they start."""
    return {
        ETCD: _etcd(site),
        APISERVER: _apiserver(site),
        CONTROLLER_MANAGER: _controller_manager(site),
        SCHEDULER: _scheduler(site),
        KWOK: _kwok(site),
    }


def _etcd(site: Site) -> list[str]:
    client = f"http://{LOOPBACK}:{site.etcd_port}"
    peer = f"http://{LOOPBACK}:{site.etcd_peer_port}"
    return [
        "--name=plane",
        f"--data-dir={site.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=plane={peer}",
        "--socket-reuse-port=true",
        "--unsafe-no-fsync",  # a plane does not outlive its machine
        "--quota-backend-bytes=8589934592",
        "--log-level=warn",
    ]


def _apiserver(site: Site) -> list[str]:
    credentials = site.credentials
    return [
        f"--etcd-servers=http://{LOOPBACK}:{site.etcd_port}",
        f"--secure-port={site.apiserver_port}",
        "--permit-port-sharing=true",
        f"--bind-address={site.address}",
        f"--advertise-address={site.address}",
        f"--tls-cert-file={credentials.serving_certificate}",
        f"--tls-private-key-file={credentials.serving_key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={credentials.account_public_key}",
        f"--service-account-signing-key-file={credentials.account_key}",
        f"--token-auth-file={credentials.token_file}",
        "--anonymous-auth=false",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--allow-privileged=true",
        f"--audit-policy-file={AUDIT_POLICY}",
        f"--audit-log-path={site.audit_log}",
    ]


def _controller_manager(site: Site) -> list[str]:
    return [
        f"--kubeconfig={site.kubeconfigs['system:kube-controller-manager']}",
        f"--service-account-private-key-file={site.credentials.account_key}",
        f"--root-ca-file={site.credentials.authority}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        *_UNTHROTTLED,
    ]


def _scheduler(site: Site) -> list[str]:
    return [
        f"--kubeconfig={site.kubeconfigs['system:kube-scheduler']}",
        "--leader-elect=false",
        "--secure-port=0",
        *_UNTHROTTLED,
    ]


def _kwok(site: Site) -> list[str]:
    return [
        f"--kubeconfig={site.kubeconfigs['kwok-controller']}",
        "--manage-all-nodes=true",
        f"--node-ip={LOOPBACK}",
        "--node-lease-duration-seconds=40",
        f"--cidr={POD_RANGE}",
        *(f"--config={stage}" for stage in STAGES),
    ]
