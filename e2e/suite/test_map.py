"""The live map in the cluster, by the commands of docs/map.md as they stand there: who has a token sees what they may list."""

import json
import shlex
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.runtime.certs.authority import issue_leaf, make_authority
from e2e.chart.helm import CHART, NAMESPACE
from e2e.suite.cluster import Cluster, run
from e2e.suite.models import SMALL, deployment
from e2e.suite.release import READY_SECONDS, Release
from e2e.suite.test_models import expect_partition

pytestmark = pytest.mark.needs_kubelet

PAGE = CHART.parents[1] / "docs/map.md"
MAP = "aim-gpu-ui"
_ANSWER_SECONDS = 20.0


def commands() -> list[str]:
    """Those under "In the cluster": an upgrade, a Secret, a way in, a token. Without remarks."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## In the cluster\n")[2]
    block = section.partition("```sh\n")[2].partition("```")[0]
    return [line.partition(" #")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def served(cluster: Cluster, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The map is there; what its visitors trust, PEM."""
    upgrade, secret, *_ = commands()
    folder = tmp_path_factory.mktemp("map")
    now = datetime.now(UTC)
    made = make_authority("e2e", now, timedelta(days=1))
    shown = issue_leaf(made, ["localhost"], now, timedelta(hours=12))
    (folder / "tls.crt").write_bytes(shown.certificate_pem)
    (folder / "tls.key").write_bytes(shown.private_key_pem)
    words = [str(release.chart) if word == "charts/aim-gpu-sharing" else word for word in shlex.split(upgrade)]
    run([release.helm, *words[1:]], limit_seconds=READY_SECONDS)
    run(_here(secret.replace("=tls.", f"={folder}/tls."), cluster))
    cluster.call("rollout", "status", f"deployment/{MAP}", "-n", NAMESPACE, "--timeout=90s", limit_seconds=100)
    yield made.certificate_pem.decode()
    release.install()
    cluster.call("delete", "secret", f"{MAP}-tls", "-n", NAMESPACE)


def _here(command: str, cluster: Cluster) -> list[str]:
    """A command with this cluster's kubectl."""
    program, *words = shlex.split(command)
    assert program == "kubectl", command
    return [cluster.kubectl, *words]


@contextmanager
def forwarded(cluster: Cluster) -> Iterator[str]:
    """The page's address, for as long as it is forwarded."""
    with subprocess.Popen(_here(commands()[2], cluster), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "Forwarding from 127.0.0.1:8443" in process.stdout.readline()
            yield "https://localhost:8443"
        finally:
            process.terminate()
            process.wait(_ANSWER_SECONDS)


def asked(url: str, authority: str, token: str = "") -> tuple[int, Any]:
    """Status and document of an answer."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    trusting = ssl.create_default_context(cadata=authority)
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS, context=trusting) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def test_a_token_shows_its_own_namespace_and_counts_of_the_rest(
    cluster: Cluster, served: str, namespace: str, engine_image: str
) -> None:
    cluster.apply(deployment("seen", namespace, engine_image))
    _, claim = expect_partition(cluster, namespace)
    cluster.call("create", "serviceaccount", "my-account", "-n", namespace)
    who = f"--serviceaccount={namespace}:my-account"
    cluster.call("create", "rolebinding", "sees", "-n", namespace, "--clusterrole=aim-gpu-view", who)
    token = run(_here(commands()[3].replace("my-team", namespace), cluster)).strip()
    with forwarded(cluster) as url:
        assert asked(f"{url}/api/state", served) == (401, None)
        status, document = asked(f"{url}/api/state", served, token)
        assert status == 200
        assert [row["name"] for row in document["state"]["claims"].values()] == [claim["metadata"]["name"]]
        assert document["state"]["nodes"] == {}
        assert document["state"]["others"]["nodes"] == len(cluster.items("gpunodes"))


def test_helm_test_asks_the_map(release: Release, served: str) -> None:
    said = release.test()
    assert said.count("ok    map: its page is there") == 1
    assert said.count(f"ok    {MAP}: 1 ready") == 1


def test_who_is_bound_to_the_role_for_nodes_sees_them_and_may_ask_what_if(
    cluster: Cluster, served: str, namespace: str
) -> None:
    cluster.call("create", "serviceaccount", "my-account", "-n", namespace)
    who = f"--serviceaccount={namespace}:my-account"
    cluster.call("create", "rolebinding", "sees", "-n", namespace, "--clusterrole=view", who)
    token = run(_here(commands()[3].replace("my-team", namespace), cluster)).strip()
    nodes = {node["metadata"]["name"] for node in cluster.items("gpunodes")}
    with forwarded(cluster) as url:
        question = f"{url}/api/what-if?model={SMALL}&namespace={namespace}"
        assert asked(question, served, token)[0] == 403
        cluster.call("create", "clusterrolebinding", namespace, "--clusterrole=aim-gpu-nodes-view", who)
        try:
            # what was refused is asked about again half a minute later
            cluster.eventually("nodes are seen", lambda: set(_state(url, served, token)["nodes"]) == nodes)
            status, document = asked(question, served, token)
            assert (status, len(document["services"])) == (200, 1)
        finally:
            cluster.call("delete", "clusterrolebinding", namespace)


def _state(url: str, authority: str, token: str) -> Any:
    status, document = asked(f"{url}/api/state", authority, token)
    assert status == 200
    return document["state"]
