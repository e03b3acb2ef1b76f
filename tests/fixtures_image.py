"""pytest plugin: our container image, for tests marked `needs_debian`.

Where no image can be built they are skipped by name, and fail under continuous integration, where nobody would notice
that they never ran.
"""

import os

import pytest

from e2e.image import BuiltImage, PrerequisiteMissing, build_image
from e2e.image.build import require_builder
from e2e.plane import Progress


@pytest.fixture(scope="session")
def image_builder() -> None:
    """Images can be built here."""
    try:
        require_builder()
    except PrerequisiteMissing as missing:
        told = f"needs_debian: {missing}"
        if os.environ.get("CI"):
            pytest.fail(f"{told} (the variable CI is set, so that this is no reason to skip)", pytrace=False)
        pytest.skip(told)


@pytest.fixture(scope="session")
def our_image(image_builder: None, pytestconfig: pytest.Config) -> BuiltImage:
    """Our image; made anew where it is not there yet, which takes a minute or two."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        return build_image(Progress())
