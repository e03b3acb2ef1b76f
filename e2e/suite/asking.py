"""Requests to models that run, several a second, for as long as something is done beside them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from e2e.suite.cluster import Cluster, Object
from e2e.suite.models import ANSWER, PORT

NAMESPACE = "e2e-asking"
_PAUSE_SECONDS = 0.2
_LIMIT_SECONDS = 5


@contextmanager
def unbroken(cluster: Cluster, pods: Sequence[Object], image: str) -> Iterator[None]:
    """While the block runs, each of `pods` is asked again and again; fails if one of them did not answer once."""
    addresses = " ".join(pod["status"]["podIP"] for pod in pods)
    cluster.call("create", "namespace", NAMESPACE)
    try:
        cluster.apply(_asker(addresses, image))
        cluster.eventually("models are asked", lambda: _answers(cluster))
        before = len(_answers(cluster))
        yield
        answers = _answers(cluster)
        assert len(answers) > before + len(pods), "nobody was asked meanwhile"
        lost = [line for line in answers if not line.startswith("answered ")]
        assert not lost, f"{len(lost)} of {len(answers)} requests: {Counter(lost).most_common(3)}"
    finally:
        cluster.call("delete", "namespace", NAMESPACE, "--timeout=90s", limit_seconds=100)


def _answers(cluster: Cluster) -> list[str]:
    """What became of each request: `answered ADDRESS`, or `LOST ADDRESS`."""
    pod = cluster.find("pod", "asker", NAMESPACE)
    if pod is None or pod["status"]["phase"] != "Running":
        return []
    return cluster.call("logs", "asker", "-n", NAMESPACE).splitlines()


def _asker(addresses: str, image: str) -> Object:
    request = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w {_LIMIT_SECONDS} $one {PORT}"
    asks = f'{request} | grep -q "^{ANSWER}" && echo "answered $one" || echo "LOST $one"'
    loop = f"while :; do for one in {addresses}; do {asks}; done; sleep {_PAUSE_SECONDS}; done"
    container = {"name": "asker", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", loop]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asker", "namespace": NAMESPACE},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }
