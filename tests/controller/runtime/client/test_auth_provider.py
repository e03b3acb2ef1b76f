"""Auth providers are left to kubernetes-asyncio."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from controller.runtime.client.auth_provider import ask_provider
from controller.runtime.client.configuration import AuthProvider, ConfigurationError


def kubeconfig(path: Path, provider: dict[str, Any]) -> AuthProvider:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://a"}}],
        "users": [{"name": "u", "user": {"auth-provider": provider}}],
    }
    path.write_text(yaml.safe_dump(document))
    return AuthProvider(path, "c")


def jwt(**claims: object) -> str:
    def part(content: object) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.x"


async def test_an_oidc_token_that_is_good(tmp_path: Path) -> None:
    token = jwt(exp=4_000_000_000)
    provider = kubeconfig(tmp_path / "k", {"name": "oidc", "config": {"id-token": token}})
    assert (await ask_provider(provider)).token == token


async def test_a_provider_that_cannot_is_named(tmp_path: Path) -> None:
    provider = kubeconfig(tmp_path / "k", {"name": "oidc", "config": {"id-token": jwt(exp=1)}})
    with pytest.raises(ConfigurationError, match="auth provider failed"):
        await ask_provider(provider)
