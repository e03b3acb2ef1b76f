"""The script of `helm test`, loaded from the chart, and an API server in memory that it asks."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

SCRIPT = Path(__file__).parents[3] / "charts/aim-gpu-sharing/files/tests/check_installation.py"

Object = dict[str, Any]
Answer = tuple[int, Object]


def load() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("check_installation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


class MemoryApi:
    """Answers in the order they were given, the last for ever; `asked` is what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str, Object | None]] = []

    def ask(self, method: str, path: str, body: Object | None = None) -> Answer:
        """The next answer."""
        self.asked.append((method, path, body))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def pods(*addresses: str) -> Answer:
    """A list of pods at these addresses, "" for one without."""
    items = [
        {"metadata": {"name": f"pod-{number}"}, "status": {"podIP": address} if address else {}}
        for number, address in enumerate(addresses)
    ]
    return 200, {"items": items}
