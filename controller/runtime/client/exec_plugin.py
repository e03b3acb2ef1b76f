"""Runs a kubeconfig's exec plugin (`client.authentication.k8s.io`, v1 and v1beta1) and reads what it prints."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from controller.runtime.client.configuration import ClientCertificate, ConfigurationError, ExecPlugin
from controller.runtime.client.credential import Credential

# Some ask a person's identity provider; none of those that work without a person takes longer.
_LONGEST_RUN_SECONDS: Final = 60.0
_QUOTED_CHARACTERS: Final = 500


async def run_plugin(plugin: ExecPlugin) -> Credential:
    """The credential that the plugin prints. Raises ConfigurationError naming the plugin and what it did instead."""
    status = _status(plugin, await _output(plugin))
    chain, key = status.get("clientCertificateData"), status.get("clientKeyData")
    if bool(chain) != bool(key):
        raise _failed(plugin, "printed a certificate without its key, or the other way round")
    certificate = ClientCertificate(str(chain).encode(), str(key).encode()) if chain else None
    token = status.get("token") or None
    if token is None and certificate is None:
        raise _failed(plugin, "printed no token and no certificate")
    if not isinstance(token, str | None):
        raise _failed(plugin, f"printed a token that is {type(token).__name__}, not text")
    return Credential(token, certificate, _end(plugin, status.get("expirationTimestamp")))


async def _output(plugin: ExecPlugin) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            env={**os.environ, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": _information(plugin)},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        raise _failed(plugin, f"cannot be started ({error}). {plugin.install_hint}".rstrip()) from error
    try:
        async with asyncio.timeout(_LONGEST_RUN_SECONDS):
            printed, complaint = await process.communicate()
    except TimeoutError as error:
        raise _failed(plugin, f"said nothing within {_LONGEST_RUN_SECONDS:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = complaint.decode(errors="replace").strip()[-_QUOTED_CHARACTERS:]
        raise _failed(plugin, f"ended with {process.returncode}: {said}")
    return printed


def _information(plugin: ExecPlugin) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    return orjson.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}).decode()


def _status(plugin: ExecPlugin, printed: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(printed)
    except orjson.JSONDecodeError as error:
        raise _failed(plugin, f"printed no JSON ({error})") from error
    if not isinstance(document, dict) or document.get("kind") != "ExecCredential":
        raise _failed(plugin, "printed no ExecCredential")
    if document.get("apiVersion") != plugin.api_version:
        raise _failed(plugin, f"answered as {document.get('apiVersion')!r}, asked was {plugin.api_version!r}")
    status = document.get("status")
    return status if isinstance(status, dict) else {}


def _end(plugin: ExecPlugin, timestamp: Any) -> datetime | None:
    if not timestamp:
        return None
    try:
        end = datetime.fromisoformat(timestamp)
    except (TypeError, ValueError) as error:
        raise _failed(plugin, f"printed the expirationTimestamp {timestamp!r}: not RFC 3339") from error
    return end if end.tzinfo is not None else end.replace(tzinfo=UTC)


def _failed(plugin: ExecPlugin, what: str) -> ConfigurationError:
    return ConfigurationError(f"credential plugin {plugin.command!r} {what}")
