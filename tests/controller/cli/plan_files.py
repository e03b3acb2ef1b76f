"""Files for `aim-gpu plan`, and the command before them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner, Result

from controller.cli.plan import plan

app = typer.Typer()
app.command()(plan)

EXAMPLES = Path(__file__).parents[3] / "examples"
SMALL, HALF, WHOLE = "Qwen/Qwen3-4B", "Qwen/Qwen3-32B", "meta-llama/Llama-3.3-70B-Instruct"
HUGE = "deepseek-ai/DeepSeek-V3"
LIMITS = {"maxModelLen": 2048, "maxConcurrency": 3}

Write = Callable[..., Path]


def service(name: str, model: str = SMALL, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"model": {"id": model}} | spec,
    }


def template(model: str | None = SMALL, **annotations: str) -> dict[str, Any]:
    asked = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": model} if model else {}
    own = {f"aim.amd.com/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {"metadata": {"annotations": asked | own}, "spec": {"containers": [{"name": "engine", "image": "engine"}]}}


def of_kserve(name: str = "x", **predictor: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team", **template()["metadata"]}
    api_version = "serving.kserve.io/v1beta1"
    spec = {"predictor": predictor or {"containers": template()["spec"]["containers"]}}
    return {"apiVersion": api_version, "kind": "InferenceService", "metadata": metadata, "spec": spec}


def workload(kind: str, name: str, spec: dict[str, Any], api_version: str = "apps/v1") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "team"}, "spec": spec}


def pod(name: str = "chat", **annotations: str) -> dict[str, Any]:
    made = template(**annotations)
    return {"apiVersion": "v1", "kind": "Pod", "spec": made["spec"], "metadata": {"name": name, **made["metadata"]}}


def policy(approval: str = "Auto", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": "everywhere"},
        "spec": {"nodeSelector": {}, "validatedOnly": False, "repartition": {"enabled": True, "approval": approval}}
        | spec,
    }


NODES = {"nodes": [{"name": "only", "product": "MI300X", "gpus": 1, "mode": "SPX/NPS1"}]}


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def planned(*arguments: object) -> dict[str, Any]:
    result = invoke(*arguments, "-o", "json")
    assert result.exit_code == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def replicas(answer: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {service["name"]: service["replicas"] for service in answer["services"]}


SHARING = {"isolation": "cooperative", "shareGroup": "pair"}


def promised(name: str, least: int) -> dict[str, Any]:
    """A small service of the share group that is promised `least` requests in flight."""
    made = service(name, qos={"guarantees": {"minConcurrency": least}}, gpuSharing=SHARING)
    made["spec"]["model"] |= {"precision": "int8"} | LIMITS
    return made
