"""What `helm test` asks of an installation: whether every process is ready, whether webhooks answer, and the live map.

Runs in our image, with Python's own library only. Nothing is made: what is sent to the API server is a dry run. Each
check prints a line, `ok` or what is wrong and where to look; the exit code is 1 where something stays wrong.
"""

import argparse
import http.client
import json
import os
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
GATE = "aim.amd.com/partition"
ASK_SECONDS = 10
"""How long one answer may take."""
PAUSE_SECONDS = 2
"""Between two rounds while something is wrong."""

Object = dict[str, Any]


class Wrong(Exception):
    """A sentence: what is wrong, and where to look."""


class Api:
    """The API server, asked with the token and the authority of `credentials`."""

    def __init__(self, host: str, port: int, credentials: Path) -> None:
        self._host, self._port, self._credentials = host, port, credentials

    def ask(self, method: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        """Status and content of an answer; OSError where there is none."""
        tls = ssl.create_default_context(cafile=str(self._credentials / "ca.crt"))
        token = (self._credentials / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection = http.client.HTTPSConnection(self._host, self._port, context=tls, timeout=ASK_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


def check_ready(api: Api, namespace: str, name: str, port: int) -> str:
    """Every pod of a process says that it lives and is ready; agents may be none, where no node is managed."""
    selector = quote(f"app.kubernetes.io/name={name}")
    status, told = api.ask("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")
    if status != http.client.OK:
        raise Wrong(f"pods of {name} in {namespace} cannot be listed: {told.get('message', status)}")
    pods = [pod for pod in told["items"] if "deletionTimestamp" not in pod["metadata"]]
    if not pods and name == "aim-gpu-agent":
        return "no node has an agent yet: kubectl label node NAME aim.amd.com/managed=true"
    if not pods:
        raise Wrong(f"{name} has no pod in namespace {namespace}: kubectl describe -n {namespace} deployment/{name}")
    for pod in pods:
        _ready(pod["metadata"]["name"], namespace, pod.get("status", {}).get("podIP", ""), port)
    return f"{len(pods)} ready"


def _ready(pod: str, namespace: str, address: str, port: int) -> None:
    if not address:
        raise Wrong(f"pod {namespace}/{pod} has no address yet: kubectl describe -n {namespace} pod/{pod}")
    for path in ("/healthz", "/readyz"):
        connection = http.client.HTTPConnection(address, port, timeout=ASK_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace").strip().replace("\n", ", ")
        except OSError as error:
            raise Wrong(f"pod {namespace}/{pod} does not answer {path} at {address}:{port}: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise Wrong(f"pod {namespace}/{pod} says at {path}: {text}")


def check_validation(api: Api, namespace: str) -> str:
    """A model that nobody has is refused by our webhook, whose policy lets it through while nobody answers."""
    status, told = _create(api, namespace, "v1beta1", {"model": {"id": "Qwen/Qwen3-9B"}})
    if status == http.client.UNPROCESSABLE_ENTITY and "did you mean" in told.get("message", ""):
        return "a misspelt model is refused with the right one"
    raise Wrong(
        f"an InferenceService with the misspelt model Qwen/Qwen3-9B was answered with {status}"
        f" {told.get('message', '')!r} and should have been refused: can API servers reach Service aim-gpu-operator,"
        " port 9443?"
    )


def check_conversion(api: Api, namespace: str) -> str:
    """An object of the older version is converted, which the API server asks our webhook for."""
    status, told = _create(api, namespace, "v1alpha1", {"modelId": "Qwen/Qwen3-4B"})
    if status == http.client.CREATED:
        return "v1alpha1 is converted"
    raise Wrong(f"an InferenceService of v1alpha1 was answered with {status}: {told.get('message', '')}")


def check_gate(api: Api, namespace: str) -> str:
    """A pod that opts in gets its gate: otherwise it would run without a partition."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "aim-gpu-dry-run",
            "annotations": {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-4B"},
        },
        "spec": {"containers": [{"name": "engine", "image": "nothing.invalid/never-pulled:1", **_restricted()}]},
    }
    status, told = api.ask("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", body)
    if status != http.client.CREATED:
        raise Wrong(f"a pod that asks for a partition was answered with {status}: {told.get('message', '')}")
    if not any(gate["name"] == GATE for gate in told["spec"].get("schedulingGates") or ()):
        raise Wrong(
            "a pod that asks for a partition got no gate and would run without one: is MutatingWebhookConfiguration"
            " aim-gpu-pod-gate there?"
        )
    return "a pod that asks for a partition waits behind its gate"


def check_map(place: str) -> str:
    """The live map's page comes by its Service, and no data without a token: what it shows is judged by nobody here."""
    host, _, port = place.rpartition(":")
    page, text = _asked_map(host, int(port), "/")
    if page != http.client.OK or "<title>GPU map" not in text:
        raise Wrong(f"the live map at {place} answered {page} and no page: kubectl logs deployment/aim-gpu-ui")
    data, text = _asked_map(host, int(port), "/api/state")
    if data != http.client.UNAUTHORIZED:
        raise Wrong(f"the live map at {place} answered {data} to somebody without a token, not 401: {text[:200]}")
    return "its page is there, its data for those with a token"


def _asked_map(host: str, port: int, path: str) -> tuple[int, str]:
    # whom browsers trust is nothing that this pod could know; nothing is sent, and what comes is public
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, context=tls, timeout=ASK_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except OSError as error:
        raise Wrong(
            f"the live map at {host}:{port} does not answer: {error}; is there a Secret with its certificate?"
        ) from error
    finally:
        connection.close()


def _restricted() -> Object:
    return {
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    }


def _create(api: Api, namespace: str, version: str, spec: Object) -> tuple[int, Object]:
    body = {
        "apiVersion": f"aim.amd.com/{version}",
        "kind": "InferenceService",
        "metadata": {"name": "aim-gpu-dry-run"},
        "spec": spec,
    }
    return api.ask("POST", f"/apis/aim.amd.com/{version}/namespaces/{namespace}/inferenceservices?dryRun=All", body)


def run(checks: dict[str, Callable[[], str]], rounds: int, pause: Callable[[float], object]) -> bool:
    """Each check until it passes, `rounds` at most; says how each ended."""
    open_checks = dict(checks)
    for number in range(1, rounds + 1):
        wrong: dict[str, str] = {}
        for name, check in open_checks.items():
            try:
                print(f"ok    {name}: {check()}", flush=True)
            except Wrong as error:
                wrong[name] = str(error)
            except (OSError, http.client.HTTPException, ValueError) as error:
                wrong[name] = f"the API server gave no answer that could be read: {error}"
        open_checks = {name: open_checks[name] for name in wrong}
        if not wrong:
            return True
        if number < rounds:
            pause(PAUSE_SECONDS)
    for name, sentence in wrong.items():
        print(f"WRONG {name}: {sentence}", file=sys.stderr, flush=True)
    return False


def planned(api: Api, given: argparse.Namespace) -> dict[str, Callable[[], str]]:
    """The checks that the arguments ask for, by name."""
    checks: dict[str, Callable[[], str]] = {}
    for process in given.process:
        namespace, _, name = process.partition("/")
        checks[name] = partial(check_ready, api, namespace, name, given.health_port)
    if given.map is not None:
        checks["map"] = partial(check_map, given.map)
    checks["validation"] = partial(check_validation, api, given.namespace)
    checks["conversion"] = partial(check_conversion, api, given.namespace)
    checks["pods"] = partial(check_gate, api, given.namespace)
    return checks


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What is asked for, by default of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", required=True, help="where dry runs are made: the release's namespace")
    parser.add_argument("--process", action="append", default=[], metavar="NAMESPACE/NAME", help="whose pods are asked")
    parser.add_argument("--map", metavar="HOST:PORT", help="where the live map is served, over HTTPS")
    parser.add_argument("--health-port", type=int, default=8081)
    parser.add_argument("--timeout", type=int, default=120, metavar="SECONDS", help="for all to become well")
    parser.add_argument("--credentials", type=Path, default=CREDENTIALS, help="a folder of token and ca.crt")
    return parser.parse_args(words)


def main() -> int:
    """Run what the arguments say; 0: all is well."""
    given = arguments()
    where = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    checks = planned(Api(*where, given.credentials), given)
    well = run(checks, max(1, given.timeout // PAUSE_SECONDS), threading.Event().wait)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
