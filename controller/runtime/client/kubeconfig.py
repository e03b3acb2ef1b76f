"""Reads a kubeconfig: server, authorities, and the ways to authenticate that need no other program.

Exec plugins and auth providers are only noted here (`PluginCredentials`); `credentials.py` runs them when a request
needs a token.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import yaml

from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError, PluginCredentials


def read_kubeconfig(path: Path, context: str | None = None) -> ClientConfiguration:
    """The connection settings of `context` in the file at `path`. Raises ConfigurationError naming what is wrong."""
    document = _document(path)
    name = context or document.get("current-context")
    if not name:
        raise ConfigurationError(f"{path}: no current-context; set one or name a context")
    chosen = _entry(path, document, "contexts", "context", name)
    cluster = _entry(path, document, "clusters", "cluster", chosen.get("cluster"))
    user = _entry(path, document, "users", "user", chosen["user"]) if chosen.get("user") else {}
    if not cluster.get("server"):
        raise ConfigurationError(f"{path}: cluster {chosen.get('cluster')!r} has no server; give its URL")
    token_file = _located(path, user.get("tokenFile"))
    needs_plugin = ("exec" in user or "auth-provider" in user) and not user.get("token") and not token_file
    return ClientConfiguration(
        server=str(cluster["server"]).rstrip("/"),
        ca=_material(path, cluster, "certificate-authority"),
        token=user.get("token"),
        token_file=Path(token_file) if token_file else None,
        client_certificate=_material(path, user, "client-certificate"),
        client_key=_material(path, user, "client-key"),
        insecure_skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify")),
        tls_server_name=cluster.get("tls-server-name"),
        plugin=PluginCredentials(path, name) if needs_plugin else None,
        namespace=chosen.get("namespace") or "default",
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); give a kubeconfig") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not YAML ({error}); give a kubeconfig") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: not a kubeconfig (no mapping at the top)")
    return document


def _entry(path: Path, document: dict[str, Any], section: str, field: str, name: str | None) -> dict[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            found: dict[str, Any] = entry.get(field) or {}
            return found
    raise ConfigurationError(f"{path}: no entry {name!r} in {section}; correct the name")


def _material(path: Path, holder: dict[str, Any], field: str) -> str | bytes | None:
    """PEM from `<field>-data`, else the path in `<field>`, which a kubeconfig gives relative to itself."""
    if data := holder.get(f"{field}-data"):
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, TypeError) as error:
            raise ConfigurationError(f"{path}: {field}-data is not base64 ({error})") from error
    return _located(path, holder.get(field))


def _located(path: Path, name: str | None) -> str | None:
    return str(path.parent / name) if name else None
