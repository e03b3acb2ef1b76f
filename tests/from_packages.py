"""Programs of the distribution's packages, for fixtures: downloaded once, with progress on the terminal.

Where they cannot be had tests are skipped with the reason, and fail under continuous integration, where nobody would
notice that they never ran.
"""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from e2e.plane import PlaneError, Progress
from e2e.plane.errors import PackagesUnavailable

T = TypeVar("T")


def had(ensure: Callable[[Progress], T], mark: str, config: pytest.Config) -> T:
    """What `ensure` gives; `mark` is that of the tests that take it."""
    capture = config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            return ensure(Progress())
    except PackagesUnavailable as missing:
        told = f"{mark}: {missing}"
        if os.environ.get("CI"):
            pytest.fail(f"{told} (the variable CI is set, so that this is no reason to skip)", pytrace=False)
        pytest.skip(told)
    except PlaneError as error:
        pytest.fail(f"{mark}: it cannot be had: {error}", pytrace=False)
