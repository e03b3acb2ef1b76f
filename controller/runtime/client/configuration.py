"""Where the API server is and who we are: given directly, from a kubeconfig, or from a pod's service account."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ConfigurationError(ValueError):
    """No usable connection settings; the text names the file or field, its value and the remedy."""


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A program that prints credentials (`client.authentication.k8s.io`), as a kubeconfig names it.

    `command` has been located: a path, or a name to look up in PATH. `environment` adds to ours. `cluster`: what the
    program is told of the cluster, None for nothing. `install_hint`: what people read when the program is not there.
    """

    api_version: str
    command: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cluster: Mapping[str, Any] | None = field(default=None, repr=False)
    install_hint: str = ""


@dataclass(frozen=True, slots=True)
class AuthProvider:
    """Credentials that a kubeconfig leaves to an auth provider (oidc, gcp), which kubernetes-asyncio knows."""

    kubeconfig: Path
    """The file in which the user stands."""
    context: str
    files: tuple[Path, ...] = ()
    """All files that were merged; none when there is one only."""
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate with its chain, and its key, both as PEM."""

    chain_pem: bytes
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Whom to act as; the API server checks that we may. `extra`: values by key, whose case it ignores."""

    user: str
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uid: str = ""

    def __post_init__(self) -> None:
        if not self.user:
            raise ConfigurationError("impersonation: groups, extra or uid without a user; name the user as well")


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """Everything a Client needs to connect.

    `server`: base URL, https or (a proxy on loopback) http. Certificates and keys are a path (str), which is looked at
    again every minute, or PEM (bytes); `ca` None: the system's authorities. `token_file` is read again every minute
    and wins over `token`, which wins over `plugin`. `tls_server_name` None: the URL's host. `impersonate` None: nobody.
    `namespace`: what "the current namespace" means, "default" if unknown. `origin`: where token and certificate data
    stand, for error texts.
    """

    server: str
    ca: str | bytes | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    client_certificate: str | bytes | None = field(default=None, repr=False)
    client_key: str | bytes | None = field(default=None, repr=False)
    insecure_skip_tls_verify: bool = False
    tls_server_name: str | None = None
    plugin: ExecPlugin | AuthProvider | None = None
    impersonate: Impersonation | None = None
    namespace: str = "default"
    origin: str = field(default="the configuration", compare=False)

    @property
    def shown(self) -> str:
        """What requests show of who we are, in words: where it comes from, never the secret."""
        shown = []
        if self.token_file is not None:
            shown.append(f"token file {self.token_file}")
        elif self.token is not None:
            shown.append(f"the token in {self.origin}")
        elif isinstance(self.plugin, ExecPlugin):
            shown.append(f"the output of credential plugin {self.plugin.command!r}")
        elif self.plugin is not None:
            shown.append(f"the token of auth provider {self.plugin.name!r} in {self.plugin.kubeconfig}")
        if isinstance(self.client_certificate, str):
            shown.append(f"client certificate {self.client_certificate}")
        elif self.client_certificate is not None:
            shown.append(f"the client certificate in {self.origin}")
        return " and ".join(shown) or "no credential"

    @property
    def trusted(self) -> str:
        """What a server's certificate is checked with, in words."""
        if self.ca is None:
            return "the system's authorities (no certificate-authority is given)"
        return f"certificate-authority {self.ca}" if isinstance(self.ca, str) else "certificate-authority-data"

    def __post_init__(self) -> None:
        if not self.server.startswith(("https://", "http://")):
            raise ConfigurationError(f"server {self.server!r}: give a URL that begins with https:// or http://")
        try:
            parts = urlsplit(self.server)
            named = parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError as error:
            raise ConfigurationError(f"server {self.server!r}: {error}; correct the URL") from error
        if not named or parts.query or parts.fragment:
            raise ConfigurationError(f"server {self.server!r}: give a host, maybe a port and a path, and nothing else")
        if (self.client_certificate is None) != (self.client_key is None):
            raise ConfigurationError("client certificate and key: give both or none")

    @staticmethod
    def from_kubeconfig(path: str | Path, context: str | None = None) -> "ClientConfiguration":
        """The settings of `context` (None: the file's current one). Raises ConfigurationError."""
        from controller.runtime.client.kubeconfig import read_kubeconfig

        return read_kubeconfig(Path(path), context)

    @staticmethod
    def in_cluster(directory: Path = SERVICE_ACCOUNT) -> "ClientConfiguration":
        """The settings of the pod this process runs in. Raises ConfigurationError outside a cluster."""
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
        token = directory / "token"
        if not host or not port or not token.exists():
            raise ConfigurationError(
                "no KUBERNETES_SERVICE_HOST or no service account token: not in a pod? Give a kubeconfig"
            )
        namespace = directory / "namespace"
        return ClientConfiguration(
            server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
            ca=str(directory / "ca.crt"),
            token_file=token,
            namespace=namespace.read_text().strip() if namespace.exists() else "default",
        )

    @staticmethod
    def load(kubeconfig: Path | None = None, context: str | None = None) -> "ClientConfiguration":
        """What a command line should use: `kubeconfig`, else $KUBECONFIG, else the pod's, else ~/.kube/config.

        The files of $KUBECONFIG are merged as kubectl does. `context` None: the current one; naming one asks for a
        kubeconfig also in a pod. Raises ConfigurationError when none of them is there.
        """
        if kubeconfig is not None:
            return ClientConfiguration.from_kubeconfig(kubeconfig, context)
        if listed := [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]:
            from controller.runtime.client.kubeconfig import read_kubeconfigs

            return read_kubeconfigs([Path(part) for part in listed], context)
        if os.environ.get("KUBERNETES_SERVICE_HOST") and context is None:
            return ClientConfiguration.in_cluster()
        return ClientConfiguration.from_kubeconfig(Path("~/.kube/config").expanduser(), context)
