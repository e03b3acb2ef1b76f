"""Kubeconfigs: each way to authenticate, paths relative to the file, and texts for what is wrong."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.runtime.client.configuration import ConfigurationError, PluginCredentials
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


def test_exec_is_left_to_the_plugin(tmp_path: Path) -> None:
    path = _write(tmp_path / "k", {"exec": {"command": "aws"}})
    assert read_kubeconfig(path).plugin == PluginCredentials(path, "c")


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
