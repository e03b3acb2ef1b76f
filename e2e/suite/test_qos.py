"""Two models on one partition, behind the chart's gateway: a flood to one delays the other by hardly more than a turn."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest

from controller.runtime.certs.authority import issue_leaf, make_authority
from e2e.chart.helm import NAMESPACE
from e2e.suite.cluster import Cluster, Object, condition
from e2e.suite.models import PORT, SMALL, service
from e2e.suite.release import Release

pytestmark = [pytest.mark.needs_kubelet, pytest.mark.needs_network]

PROGRAMS = Path(__file__).parent / "pods"
GATEWAY = "aim-gpu-gateway"
HOST = f"{GATEWAY}.{GATEWAY}.svc"
TOKENS = "/var/run/gateway"

# What is asked is eight a second at most: 4 at once, half a second each.
SERVICE_SECONDS = 0.5
AT_ONCE = 4
WAITING = 24
CLIENTS = 48
"""So many want an answer at once: 4 are served, 24 wait, the others are refused."""
FLOOD_SECONDS = 15


@pytest.fixture(scope="module")
def authority(cluster: Cluster, release: Release) -> Iterator[str]:
    """The gateway is there, two replicas; what its clients trust, PEM."""
    now = datetime.now(UTC)
    made = make_authority("e2e", now, timedelta(days=1))
    shown = issue_leaf(made, [HOST], now, timedelta(hours=12))
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": GATEWAY, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": f"{GATEWAY}-tls", "namespace": GATEWAY},
            "stringData": {"tls.crt": shown.certificate_pem.decode(), "tls.key": shown.private_key_pem.decode()},
        },
    )
    # What it asks of the processor is more than small nodes have left.
    values = "gateway.enabled=true,gateway.createNamespace=false,gateway.resources.requests.cpu=50m"
    release.install("--set", values)
    yield made.certificate_pem.decode()
    release.install()
    cluster.call("delete", "namespace", GATEWAY, "--timeout=180s", limit_seconds=190)


@pytest.fixture
def limited(cluster: Cluster, namespace: str) -> Iterator[None]:
    """So many requests at once on a partition that several pods share."""
    policy = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": "e2e-qos"},
        "spec": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sharedConcurrency": AT_ONCE,
        },
    }
    cluster.apply(policy)
    yield
    cluster.call("delete", "gpusharingpolicy", "e2e-qos")


def engine(name: str, namespace: str, image: str) -> Object:
    """A member of the group, whose queue is short."""
    made = service(name, namespace, image)
    made["spec"]["model"] = {"id": SMALL, "maxConcurrency": 8}
    made["spec"]["gpuSharing"] = {"isolation": "cooperative", "shareGroup": "neighbours"}
    made["spec"]["qos"] = {"queue": {"maxLength": WAITING}}
    (container,) = made["spec"]["predictor"]["containers"]
    program = (PROGRAMS / "engine.py").read_text(encoding="utf-8")
    container |= {
        "command": ["python", "-c", program, str(PORT), str(SERVICE_SECONDS)],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 2},
    }
    return made


def client(namespace: str, image: str) -> Object:
    """Who asks: a pod with a token for the gateway."""
    token = {"audience": GATEWAY, "path": "token", "expirationSeconds": 3600}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "client",
                    "image": image,
                    "command": ["sleep", "3600"],
                    "volumeMounts": [{"name": "token", "mountPath": TOKENS}],
                }
            ],
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}}],
        },
    }


def our_image(cluster: Cluster) -> str:
    """Ours, which has Python."""
    found = cluster.find("deployment", "aim-gpu-operator", NAMESPACE)
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_flood_to_one_model_leaves_its_neighbour_served(
    cluster: Cluster, authority: str, namespace: str, limited: None
) -> None:
    image = our_image(cluster)
    cluster.apply(*(engine(name, namespace, image) for name in ("quiet", "noisy")), client(namespace, image))

    def ready() -> bool:
        pods = cluster.items("pods", "-n", namespace)
        return len(pods) == 3 and all(condition(pod, "Ready") == "True" for pod in pods)

    cluster.eventually("client and engines are Ready", ready)
    (claim,) = cluster.items("gpupartitionclaims", "-n", namespace)
    assert len(claim["status"]["shares"]) == 2, "they share one partition"

    asked = {
        "host": HOST,
        "authority": authority,
        "token": f"{TOKENS}/token",
        "quiet": f"{namespace}/quiet",
        "noisy": f"{namespace}/noisy",
        "clients": CLIENTS,
        "seconds": FLOOD_SECONDS,
        "before": 4,
    }
    program = (PROGRAMS / "flood.py").read_text(encoding="utf-8")
    words = ("exec", "-n", namespace, "client", "--", "python", "-c", program, json.dumps(asked))
    told = json.loads(cluster.call(*words, limit_seconds=180))

    assert {tuple(one[:2]) for one in told["alone"] + told["beside"]} == {(200, "")}, (
        "none of the quiet one's is refused"
    )
    served = [seconds for status, _, seconds in told["flood"] if status == 200]
    refused = Counter((status, reason) for status, reason, _ in told["flood"] if status != 200)
    assert set(refused) == {(429, "QueueFull")}, f"the flood is bounded: {refused}, {len(served)} served"
    # the flood goes on at the pace of the partition
    assert len(served) >= 0.5 * AT_ONCE * FLOOD_SECONDS / SERVICE_SECONDS
    alone, beside, flood = (
        median(seconds) for seconds in ([one[2] for one in told["alone"]], [one[2] for one in told["beside"]], served)
    )
    # In one queue it would take as long as the flood's; taking turns it waits for at most one of those being served.
    assert beside < alone + 2 * SERVICE_SECONDS, f"{alone:.2f} s alone, {beside:.2f} s beside a flood"
    assert flood > 2 * beside, f"the flood waits {flood:.2f} s, its neighbour {beside:.2f} s"
