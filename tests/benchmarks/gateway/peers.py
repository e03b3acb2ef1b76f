"""How each peer is started: with what of its own makes it fast, and nothing that we have and it has not.

Each has one engine and one model to route to, which is the least it can have. What was tried and is set:

- haproxy: one thread, connections to the engine reused always, no log, no health check, splicing by the kernel off (its
  default; slower for small answers).
- The Rust routers: round robin (the cheapest policy; the default, cache_aware, hashes prompts), one worker thread for the
  one core, no retries, no circuit breaker, logs of errors only, no limit to concurrency.
- litellm: one worker, no key asked for, telemetry and callbacks off, its router without retries or cooldowns, no data base.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from e2e.plane.progress import Progress
from tests.benchmarks.gateway.installed import python_peer
from tests.benchmarks.gateway.mock_engine import MODEL
from tests.benchmarks.gateway.settings import HAPROXY, LITELLM, SGLANG_ROUTER, SMG, VLLM_ROUTER
from tests.benchmarks.gateway.subject import HOST, Subject

_ONE_CORE: Final = {"TOKIO_WORKER_THREADS": "1", "RUST_LOG": "error"}
_LARGE: Final = "100000"


def peer(name: str, engine: int, ports: tuple[int, int], folder: Path, progress: Progress) -> Subject:
    """The peer before the engine on port `engine`. `ports`: for clients, and for its metrics where it wants one.

    Raises PlaneError when it cannot be installed.
    """
    return _PEERS[name](engine, ports, folder, progress)


def haproxy(name: str, engine: int, port: int, folder: Path, certificate: Path | None = None) -> Subject:
    """HAProxy; with a `certificate` (a file of certificate and key) it speaks TLS to clients."""
    bind = f"{HOST}:{port}" + (f" ssl crt {certificate} alpn http/1.1" if certificate else "")
    path = folder / f"{name}.cfg"
    path.write_text(
        f"""global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend clients
  bind {bind}
  default_backend engines
backend engines
  server engine {HOST}:{engine} pool-max-conn -1 pool-purge-delay 60s
""",
        encoding="utf-8",
    )
    return Subject(name, ("haproxy", "-db", "-q", "-f", str(path)), port, tls=certificate is not None)


def _haproxy(engine: int, ports: tuple[int, int], folder: Path, _: Progress) -> Subject:
    return haproxy(HAPROXY, engine, ports[0], folder)


def _vllm_router(engine: int, ports: tuple[int, int], _: Path, progress: Progress) -> Subject:
    options = ["--disable-retries", "--disable-circuit-breaker", "--log-level=error"]
    return _router(VLLM_ROUTER, ["vllm-router", *options], engine, ports, progress)


def _sglang_router(engine: int, ports: tuple[int, int], _: Path, progress: Progress) -> Subject:
    options = ["--disable-retries", "--disable-circuit-breaker", "--log-level=error"]
    return _router(SGLANG_ROUTER, ["sglang-router", "launch", *options], engine, ports, progress)


def _smg(engine: int, ports: tuple[int, int], _: Path, progress: Progress) -> Subject:
    options = [
        "--disable-retries",
        "--disable-circuit-breaker",
        "--log-level=error",
        "--disable-load-monitoring",
        "--disable-worker-overload-protection",
        "--disable-tokenizer-autoload",
    ]
    return _router(SMG, ["smg", "launch", *options], engine, ports, progress)


def _router(name: str, argv: list[str], engine: int, ports: tuple[int, int], progress: Progress) -> Subject:
    program = python_peer(name, progress) / argv[0]
    options = [
        *argv[1:],
        "--host",
        HOST,
        "--port",
        str(ports[0]),
        "--worker-urls",
        f"http://{HOST}:{engine}",
        "--policy",
        "round_robin",
        "--prometheus-port",
        str(ports[1]),
        "--prometheus-host",
        HOST,
        "--max-concurrent-requests",
        _LARGE,
    ]
    return Subject(name, (str(program), *options), ports[0], _ONE_CORE)


def _litellm(engine: int, ports: tuple[int, int], folder: Path, progress: Progress) -> Subject:
    program = python_peer(LITELLM, progress) / "litellm"
    target = {"model": f"hosted_vllm/{MODEL}", "api_base": f"http://{HOST}:{engine}/v1", "api_key": "none"}
    settings = {
        "model_list": [{"model_name": MODEL, "litellm_params": target}],
        "litellm_settings": {"telemetry": False, "num_retries": 0, "request_timeout": 60, "set_verbose": False},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True, "routing_strategy": "simple-shuffle"},
        "general_settings": {"disable_spend_logs": True},
    }
    path = folder / "litellm.json"
    path.write_text(json.dumps(settings), encoding="utf-8")  # YAML has JSON within it
    options = ["--config", str(path), "--host", HOST, "--port", str(ports[0]), "--num_workers", "1"]
    environ = {
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # on the loopback address, and faster
    }
    return Subject(LITELLM, (str(program), *options), ports[0], environ)


_PEERS: Mapping[str, Callable[[int, tuple[int, int], Path, Progress], Subject]] = {
    HAPROXY: _haproxy,
    VLLM_ROUTER: _vllm_router,
    SGLANG_ROUTER: _sglang_router,
    SMG: _smg,
    LITELLM: _litellm,
}
