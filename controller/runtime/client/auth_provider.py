"""Tokens of a kubeconfig's auth provider (oidc, gcp), by kubernetes-asyncio: the one place that imports it."""

import os
from typing import Any

import aiohttp

from controller.runtime.client.configuration import AuthProvider, ConfigurationError
from controller.runtime.client.credential import Credential
from controller.runtime.client.errors import Unavailable


async def ask_provider(provider: AuthProvider) -> Credential:
    """The provider's token. Raises ConfigurationError when it gives none, Unavailable when nobody answers it.

    The texts say of the provider's own error its type only: its text may hold the user's whole entry, tokens included.
    """
    problem: Exception | None = None
    try:
        value = await _token(provider)
    except Exception as error:  # noqa: BLE001 - the library raises whatever its parts do
        problem = error
    # Past the handler, so that the provider's error does not travel along as context.
    if problem is not None:
        raise _failed(provider, problem)
    if not value:
        raise ConfigurationError(f"{_named(provider)} gave no token; sign in again")
    return Credential(str(value).removeprefix("Bearer "))


async def _token(provider: AuthProvider) -> Any:
    # Imported here and only here: it costs 0.3 s and 70 MB, and few kubeconfigs need it.
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import load_kube_config

    loaded = Configuration()
    await load_kube_config(
        config_file=os.pathsep.join(map(str, provider.files or (provider.kubeconfig,))),
        context=provider.context,
        client_configuration=loaded,
        persist_config=False,
    )
    return loaded.api_key.get("BearerToken")


def _failed(provider: AuthProvider, problem: Exception) -> ConfigurationError | Unavailable:
    what = f"{_named(provider)} failed ({type(problem).__name__})"
    if isinstance(problem, aiohttp.ClientConnectionError | TimeoutError):
        return Unavailable(
            0, "NoCredential", f"{what}: its issuer did not answer; check idp-issuer-url and the network"
        )
    return ConfigurationError(f"{what}; sign in again, or use an exec plugin")


def _named(provider: AuthProvider) -> str:
    name = f" {provider.name!r}" if provider.name else ""
    return f"{provider.kubeconfig}: context {provider.context!r}: auth provider{name}"
