"""What a client does not load: kubernetes-asyncio costs 0.3 s and 70 MB, and few kubeconfigs need it."""

import subprocess
import sys


def loaded_by(module: str) -> set[str]:
    script = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_client_does_without_kubernetes_asyncio() -> None:
    assert "kubernetes_asyncio" not in loaded_by("controller.runtime.client.client")


def test_credentials_and_kubeconfigs_do_as_well() -> None:
    modules = ("credentials", "exec_plugin", "kubeconfig", "auth_provider")
    assert "kubernetes_asyncio" not in loaded_by(", ".join(f"controller.runtime.client.{name}" for name in modules))


def test_an_import_would_be_seen() -> None:
    assert "kubernetes_asyncio" in loaded_by("kubernetes_asyncio.config")
