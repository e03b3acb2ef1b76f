"""Reads a kubeconfig: server, authorities, and the ways to authenticate that need no other program.

Exec plugins and auth providers are only noted here; `credentials.py` runs them when a request needs a credential.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import yaml

from controller.runtime.client.configuration import (
    AuthProvider,
    ClientConfiguration,
    ConfigurationError,
    ExecPlugin,
    Impersonation,
)

_EXEC_VERSIONS = frozenset({"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"})
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


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
    return ClientConfiguration(
        server=str(cluster["server"]).rstrip("/"),
        ca=_material(path, cluster, "certificate-authority"),
        token=user.get("token"),
        token_file=Path(token_file) if token_file else None,
        client_certificate=_material(path, user, "client-certificate"),
        client_key=_material(path, user, "client-key"),
        insecure_skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify")),
        tls_server_name=cluster.get("tls-server-name"),
        plugin=_plugin(path, name, user, cluster),
        impersonate=_impersonation(path, user),
        namespace=chosen.get("namespace") or "default",
    )


def _plugin(
    path: Path, context: str, user: dict[str, Any], cluster: dict[str, Any]
) -> ExecPlugin | AuthProvider | None:
    if "exec" in user:
        return _exec_plugin(path, user["exec"] or {}, cluster)
    return AuthProvider(path, context) if "auth-provider" in user else None


def _exec_plugin(path: Path, given: dict[str, Any], cluster: dict[str, Any]) -> ExecPlugin:
    version, command = given.get("apiVersion"), given.get("command")
    if version not in _EXEC_VERSIONS:
        raise ConfigurationError(
            f"{path}: exec apiVersion {version!r}: give one of {', '.join(sorted(_EXEC_VERSIONS))}"
        )
    if not command:
        raise ConfigurationError(f"{path}: exec without a command; name the credential plugin")
    if given.get("interactiveMode") == "Always":
        raise ConfigurationError(
            f"{path}: exec interactiveMode Always: nobody sits at this process; use another plugin"
        )
    return ExecPlugin(
        api_version=version,
        command=str(path.parent.absolute() / command) if "/" in command else command,
        arguments=tuple(str(argument) for argument in given.get("args") or ()),
        environment=tuple((entry["name"], str(entry["value"])) for entry in given.get("env") or ()),
        cluster=_told_of(path, cluster) if given.get("provideClusterInfo") else None,
        install_hint=given.get("installHint") or "",
    )


def _told_of(path: Path, cluster: dict[str, Any]) -> dict[str, Any]:
    """What a plugin is told of the cluster: the kubeconfig's entry, with the authority's data instead of its path."""
    same = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")
    told = {name: cluster[name] for name in same if cluster.get(name)}
    authority = _material(path, cluster, "certificate-authority")
    if authority is not None:
        told["certificate-authority-data"] = base64.b64encode(_read(path, authority)).decode()
    extensions = {entry.get("name"): entry.get("extension") for entry in cluster.get("extensions") or ()}
    if _EXEC_EXTENSION in extensions:
        told["config"] = extensions[_EXEC_EXTENSION]
    return told


def _read(path: Path, authority: str | bytes) -> bytes:
    if isinstance(authority, bytes):
        return authority
    try:
        return Path(authority).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: certificate-authority {authority}: {error.strerror}") from error


def _impersonation(path: Path, user: dict[str, Any]) -> Impersonation | None:
    name, uid = user.get("as"), user.get("as-uid")
    groups, extra = user.get("as-groups") or (), user.get("as-user-extra") or {}
    if not (name or uid or groups or extra):
        return None
    if not name:
        raise ConfigurationError(f"{path}: as-groups, as-user-extra or as-uid without `as`; name the user there")
    return Impersonation(
        user=str(name),
        groups=tuple(str(group) for group in groups),
        extra={str(key): tuple(str(value) for value in values) for key, values in extra.items()},
        uid=str(uid or ""),
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
