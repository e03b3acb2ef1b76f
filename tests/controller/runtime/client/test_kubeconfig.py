"""Kubeconfigs: each way to authenticate, paths relative to the file, and texts for what is wrong."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.runtime.client.configuration import AuthProvider, ConfigurationError, ExecPlugin, Impersonation
from controller.runtime.client.kubeconfig import read_kubeconfig


def _write(path: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None, **top: Any) -> Path:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://a:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
        **top,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def _b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_token_and_authority_data(tmp_path: Path) -> None:
    path = _write(tmp_path / "k", {"token": "t"}, {"certificate-authority-data": _b64(b"CA")})
    found = read_kubeconfig(path)
    assert (found.server, found.token, found.ca, found.namespace) == ("https://a:6443", "t", b"CA", "n")


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    path = _write(tmp_path / "k", {"tokenFile": "t"}, {"certificate-authority": "pki/ca.crt"})
    found = read_kubeconfig(path)
    assert (found.token_file, found.ca) == (tmp_path / "t", str(tmp_path / "pki" / "ca.crt"))


def test_client_certificate_data(tmp_path: Path) -> None:
    user = {"client-certificate-data": _b64(b"CERT"), "client-key-data": _b64(b"KEY")}
    found = read_kubeconfig(_write(tmp_path / "k", user))
    assert (found.client_certificate, found.client_key) == (b"CERT", b"KEY")


V1 = "client.authentication.k8s.io/v1"


def test_an_exec_plugin(tmp_path: Path) -> None:
    given = {
        "apiVersion": V1,
        "command": "aws",
        "args": ["eks", "get-token"],
        "env": [{"name": "AWS_PROFILE", "value": "x"}],
        "installHint": "Install it.",
        "interactiveMode": "IfAvailable",
    }
    assert read_kubeconfig(_write(tmp_path / "k", {"exec": given})).plugin == ExecPlugin(
        V1, "aws", ("eks", "get-token"), (("AWS_PROFILE", "x"),), None, "Install it."
    )


@pytest.mark.parametrize(
    ("command", "want"),
    [
        pytest.param("aws", "aws", id="a name is looked up in PATH"),
        pytest.param("./aws", "{folder}/./aws", id="a relative path begins at the kubeconfig"),
        pytest.param("/opt/aws", "/opt/aws", id="an absolute path stays"),
    ],
)
def test_where_a_plugin_is(tmp_path: Path, command: str, want: str) -> None:
    plugin = read_kubeconfig(_write(tmp_path / "k", {"exec": {"apiVersion": V1, "command": command}})).plugin
    assert isinstance(plugin, ExecPlugin)
    assert plugin.command.replace("/./", "/") == want.format(folder=tmp_path).replace("/./", "/")


def test_a_plugin_is_told_of_the_cluster_when_it_asks(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"CA")
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {"certificate-authority": "ca.crt", "tls-server-name": "n", "extensions": [extension]}
    user = {"exec": {"apiVersion": V1, "command": "p", "provideClusterInfo": True}}
    plugin = read_kubeconfig(_write(tmp_path / "k", user, cluster)).plugin
    assert isinstance(plugin, ExecPlugin)
    assert plugin.cluster == {
        "server": "https://a:6443/",
        "tls-server-name": "n",
        "certificate-authority-data": _b64(b"CA"),
        "config": {"audience": "x"},
    }


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param({"apiVersion": "v1", "command": "p"}, "apiVersion 'v1'", id="another version"),
        pytest.param({"apiVersion": V1}, "without a command", id="no command"),
        pytest.param(
            {"apiVersion": V1, "command": "p", "interactiveMode": "Always"}, "nobody sits", id="needs a person"
        ),
        pytest.param(None, "apiVersion None", id="nothing in it"),
    ],
)
def test_exec_entries_that_cannot_work(tmp_path: Path, given: dict[str, Any] | None, want: str) -> None:
    with pytest.raises(ConfigurationError, match=want):
        read_kubeconfig(_write(tmp_path / "k", {"exec": given}))


def test_an_auth_provider_is_left_to_kubernetes_asyncio(tmp_path: Path) -> None:
    path = _write(tmp_path / "k", {"auth-provider": {"name": "oidc"}})
    assert read_kubeconfig(path).plugin == AuthProvider(path, "c")


def test_impersonation(tmp_path: Path) -> None:
    user = {"token": "t", "as": "jane", "as-uid": "u", "as-groups": ["dev"], "as-user-extra": {"scopes": ["view"]}}
    found = read_kubeconfig(_write(tmp_path / "k", user)).impersonate
    assert found == Impersonation("jane", ("dev",), {"scopes": ("view",)}, "u")


def test_impersonating_groups_of_nobody_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="without `as`"):
        read_kubeconfig(_write(tmp_path / "k", {"token": "t", "as-groups": ["dev"]}))


@pytest.mark.parametrize(
    ("top", "context", "want"),
    [
        pytest.param({"current-context": ""}, None, "no current-context", id="no context"),
        pytest.param({}, "other", "no entry 'other' in contexts", id="unknown context"),
        pytest.param({"clusters": []}, None, "no entry 'k' in clusters", id="unknown cluster"),
        pytest.param({"clusters": [{"name": "k"}]}, None, "has no server", id="no server"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, top: dict[str, Any], context: str | None, want: str) -> None:
    with pytest.raises(ConfigurationError, match=want):
        read_kubeconfig(_write(tmp_path / "k", {"token": "t"}, **top), context)


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param("a: [", "not YAML", id="broken YAML"),
        pytest.param("- 1", "not a kubeconfig", id="a list"),
        pytest.param(None, "cannot be read", id="no file"),
    ],
)
def test_garbage(tmp_path: Path, content: str | None, want: str) -> None:
    path = tmp_path / "k"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=want):
        read_kubeconfig(path)


def test_data_that_is_no_base64_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "k", {"token": "t"}, {"certificate-authority-data": "%%%"})
    with pytest.raises(ConfigurationError, match="certificate-authority-data is not base64"):
        read_kubeconfig(path)
