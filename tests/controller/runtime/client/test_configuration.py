"""Where connection settings come from, and in which order."""

from pathlib import Path

import pytest

from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError, ExecPlugin

KUBECONFIG = """
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "https://%s:6443"}}]
users: [{name: u, user: {token: t}}]
"""


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Neither in a pod nor with a kubeconfig; the home directory."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _kubeconfig(path: Path, host: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(KUBECONFIG % host)
    return path


def _service_account(directory: Path) -> Path:
    directory.mkdir()
    (directory / "token").write_text("t")
    (directory / "namespace").write_text("aim-system\n")
    return directory


def test_the_secrets_are_not_printed() -> None:
    assert "s3cret" not in repr(
        ClientConfiguration(
            "https://a",
            token="s3cret",
            client_key=b"s3cret",
            client_certificate=b"",
            plugin=ExecPlugin("v1", "p", environment=(("PASSWORD", "s3cret"),)),
        )
    )


@pytest.mark.parametrize(
    ("server", "more", "want"),
    [
        pytest.param("a:6443", {}, "server 'a:6443'", id="no scheme"),
        pytest.param("https://", {}, "give a host", id="no host"),
        pytest.param("https://a:port", {}, "'https://a:port'", id="a port that is no number"),
        pytest.param("https://a/?x=y", {}, "nothing else", id="a query"),
        pytest.param("https://a", {"client_key": b""}, "give both", id="a key without its certificate"),
    ],
)
def test_refused(server: str, more: dict[str, bytes], want: str) -> None:
    with pytest.raises(ConfigurationError, match=want):
        ClientConfiguration(server, **more)  # type: ignore[arg-type]


def test_in_cluster(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = ClientConfiguration.in_cluster(_service_account(outside / "sa"))
    assert (found.server, found.namespace) == ("https://[fd00::1]:443", "aim-system")
    assert found.token_file == outside / "sa" / "token"


def test_in_cluster_outside_says_so(outside: Path) -> None:
    with pytest.raises(ConfigurationError, match="not in a pod"):
        ClientConfiguration.in_cluster(outside)


def test_load_prefers_the_argument_then_the_variable_then_home(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _kubeconfig(outside / ".kube" / "config", "home")
    assert ClientConfiguration.load().server == "https://home:6443"
    monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(outside / "variable", "variable")))
    assert ClientConfiguration.load().server == "https://variable:6443"
    assert ClientConfiguration.load(_kubeconfig(outside / "given", "given")).server == "https://given:6443"


def test_a_context_can_be_named_and_asks_for_a_kubeconfig_also_in_a_pod(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    _kubeconfig(outside / ".kube" / "config", "home")
    assert ClientConfiguration.load(context="c").server == "https://home:6443"
    with pytest.raises(ConfigurationError, match="no entry 'd' in contexts"):
        ClientConfiguration.load(context="d")
    monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(outside / "variable", "variable")))
    assert ClientConfiguration.load(context="c").server == "https://variable:6443"
