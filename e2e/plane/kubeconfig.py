"""Writes kubeconfig files."""

import base64
from pathlib import Path

import yaml


def write_kubeconfig(path: Path, *, server: str, authority: Path, token: str, user: str) -> Path:
    """One cluster, one user, one context; self-contained, readable by its owner alone, replaced in one piece."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "plane",
        "clusters": [
            {
                "name": "plane",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": user, "namespace": "default"}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    unfinished.replace(path)
    return path
