"""Auth providers are left to kubernetes-asyncio."""

import base64
import logging
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from controller.runtime.client.auth_provider import ask_provider
from controller.runtime.client.configuration import AuthProvider, ConfigurationError
from controller.runtime.client.errors import Unavailable


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


def leaks(error: BaseException | None) -> list[str]:
    """All texts of `error` and of what it is chained to."""
    texts: list[str] = []
    while error is not None:
        texts += [str(error), repr(error), *getattr(error, "__notes__", [])]
        error = error.__cause__ or error.__context__
    return texts


OIDC = {"client-id": "c", "client-secret": "PLANTED-c", "refresh-token": "PLANTED-r"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("provider", "want"),
    [
        pytest.param({"config": {**OIDC, "id-token": jwt(exp=1)}}, ConfigurationError, id="no issuer"),
        pytest.param({"config": {**OIDC, "id-token": "PLANTED-i"}}, ConfigurationError, id="no JWT"),
        pytest.param({"config": {**OIDC, "id-token": "a.PLANTED-i.c"}}, ConfigurationError, id="a JWT of garbage"),
        pytest.param({"config": "PLANTED-x"}, ConfigurationError, id="a config that is text"),
        pytest.param(
            {"config": {**OIDC, "id-token": jwt(exp=1), "idp-issuer-url": "http://127.0.0.1:9"}},
            Unavailable,
            id="nobody at the issuer",
        ),
    ],
)
async def test_no_secret_is_in_any_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, provider: dict[str, Any], want: type[Exception]
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = kubeconfig(tmp_path / "k", {"name": "oidc", **provider})
    with pytest.raises(want, match="auth provider failed") as caught:
        await ask_provider(asked)
    told = "\n".join([*leaks(caught.value), caplog.text])
    assert str(tmp_path / "k") in told
    for secret in ("PLANTED", jwt(exp=1)):
        assert secret not in told
