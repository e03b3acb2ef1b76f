"""Tokens of a kubeconfig's auth provider (oidc, gcp), by kubernetes-asyncio: the one place that imports it."""

from controller.runtime.client.configuration import AuthProvider, ConfigurationError
from controller.runtime.client.credential import Credential


async def ask_provider(provider: AuthProvider) -> Credential:
    """The provider's token. Raises ConfigurationError when it gives none."""
    # Imported here and only here: it costs 0.3 s and 70 MB, and few kubeconfigs need it.
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import ConfigException, load_kube_config

    loaded = Configuration()
    try:
        await load_kube_config(
            config_file=str(provider.kubeconfig),
            context=provider.context,
            client_configuration=loaded,
            persist_config=False,
        )
    except ConfigException as error:
        raise ConfigurationError(f"{provider.kubeconfig}: the auth provider failed: {error}") from error
    value = loaded.api_key.get("BearerToken")
    if not value:
        raise ConfigurationError(f"{provider.kubeconfig}: the auth provider gave no token")
    return Credential(str(value).removeprefix("Bearer "))
