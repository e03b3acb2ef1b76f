"""Reads a kubeconfig: server, authorities, and the ways to authenticate that need no other program.

Exec plugins and auth providers are only noted here; `credentials.py` runs them when a request needs a credential.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controller.runtime.client.configuration import (
    AuthProvider,
    ClientConfiguration,
    ConfigurationError,
    ExecPlugin,
    Impersonation,
)
from controller.runtime.client.kubeconfig_files import Merged, Part, merge

_EXEC_VERSIONS = frozenset({"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"})
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


def read_kubeconfig(path: Path, context: str | None = None) -> ClientConfiguration:
    """The connection settings of `context` in the file at `path`. Raises ConfigurationError naming what is wrong."""
    return read_kubeconfigs([path], context)


def read_kubeconfigs(paths: Sequence[Path], context: str | None = None) -> ClientConfiguration:
    """The connection settings of `context` (None: the current one) in several files, merged as kubectl does.

    Raises ConfigurationError naming what is wrong.
    """
    merged = merge(paths)
    name = context or merged.current_context
    if not name:
        files = ", ".join(map(str, merged.files))
        raise ConfigurationError(f"{files}: no current-context; set one or name a context")
    chosen = merged.entry("contexts", name)
    cluster = merged.entry("clusters", chosen.text("cluster"))
    user = merged.entry("users", chosen.text("user")) if chosen.text("user") else Part(chosen.path, "no user", {})
    _refuse_unsupported(cluster, user)
    server = cluster.text("server")
    if server is None:
        raise ConfigurationError(f"{cluster.label} has no server; give its URL")
    token_file = _located(user, "tokenFile")
    return ClientConfiguration(
        server=server.rstrip("/"),
        ca=_material(cluster, "certificate-authority"),
        token=user.text("token"),
        token_file=Path(token_file) if token_file else None,
        client_certificate=_material(user, "client-certificate"),
        client_key=_material(user, "client-key"),
        insecure_skip_tls_verify=bool(cluster.fields.get("insecure-skip-tls-verify")),
        tls_server_name=cluster.text("tls-server-name"),
        plugin=_plugin(merged, name, user, cluster),
        impersonate=_impersonation(user),
        namespace=chosen.text("namespace") or "default",
        origin=user.label,
    )


def _refuse_unsupported(cluster: Part, user: Part) -> None:
    """Better no connection than one that goes another way, or as another user, than the file says."""
    if cluster.fields.get("proxy-url"):
        raise cluster.wrong("proxy-url", "not supported; remove it, and give a server that is reached without a proxy")
    for field in ("username", "password"):
        if user.fields.get(field):
            raise user.wrong(field, "API servers take no passwords any more; give a token, a certificate or a plugin")


def _plugin(merged: Merged, context: str, user: Part, cluster: Part) -> ExecPlugin | AuthProvider | None:
    if "exec" in user.fields:
        return _exec_plugin(user.part("exec"), cluster)
    if "auth-provider" not in user.fields:
        return None
    files = merged.files if len(merged.files) > 1 else ()
    return AuthProvider(user.path, context, files, user.part("auth-provider").text("name") or "")


def _exec_plugin(given: Part, cluster: Part) -> ExecPlugin:
    version, command = given.text("apiVersion"), given.text("command")
    if version is None or version not in _EXEC_VERSIONS:
        versions = ", ".join(sorted(_EXEC_VERSIONS))
        raise ConfigurationError(f"{given.label} apiVersion {version!r}: give one of {versions}")
    if not command:
        raise ConfigurationError(f"{given.label} without a command; name the credential plugin")
    if given.text("interactiveMode") == "Always":
        raise given.wrong("interactiveMode", "Always: nobody sits at this process; use another plugin")
    return ExecPlugin(
        api_version=version,
        command=str(given.path.parent.absolute() / command) if "/" in command else command,
        arguments=tuple(str(argument) for argument in given.items("args")),
        environment=tuple((entry.text("name") or "", entry.text("value") or "") for entry in given.parts("env")),
        cluster=_told_of(cluster) if given.fields.get("provideClusterInfo") else None,
        install_hint=given.text("installHint") or "",
    )


def _told_of(cluster: Part) -> dict[str, Any]:
    """What a plugin is told of the cluster: the kubeconfig's entry, with the authority's data instead of its path."""
    same = ("server", "tls-server-name", "insecure-skip-tls-verify", "disable-compression")
    told = {name: cluster.fields[name] for name in same if cluster.fields.get(name)}
    authority = _material(cluster, "certificate-authority")
    if authority is not None:
        told["certificate-authority-data"] = base64.b64encode(_read(cluster, authority)).decode()
    extensions = {entry.text("name"): entry.fields.get("extension") for entry in cluster.parts("extensions")}
    if _EXEC_EXTENSION in extensions:
        told["config"] = extensions[_EXEC_EXTENSION]
    return told


def _read(cluster: Part, authority: str | bytes) -> bytes:
    if isinstance(authority, bytes):
        return authority
    try:
        return Path(authority).read_bytes()
    except OSError as error:
        raise cluster.wrong("certificate-authority", f"{authority}: {error.strerror}; correct the path") from error


def _impersonation(user: Part) -> Impersonation | None:
    name, uid = user.text("as"), user.text("as-uid")
    groups, extra = user.items("as-groups"), user.part("as-user-extra")
    if not (name or uid or groups or extra.fields):
        return None
    if not name:
        raise ConfigurationError(f"{user.label}: as-groups, as-user-extra or as-uid without `as`; name the user there")
    return Impersonation(
        user=name,
        groups=tuple(str(group) for group in groups),
        extra={str(key): tuple(str(value) for value in extra.items(key)) for key in extra.fields},
        uid=uid or "",
    )


def _material(holder: Part, field: str) -> str | bytes | None:
    """PEM from `<field>-data`, else the path in `<field>`, which a kubeconfig gives relative to itself."""
    if data := holder.text(f"{field}-data"):
        try:
            return base64.b64decode(data, validate=True)
        except ValueError as error:
            raise ConfigurationError(f"{holder.label}: {field}-data is not base64 ({error}); encode it") from error
    return _located(holder, field)


def _located(holder: Part, field: str) -> str | None:
    name = holder.text(field)
    return str(holder.path.parent / name) if name else None
