"""Programs that a fixture needs, built before the first test: a build takes longer than any test may."""

from collections.abc import Callable

import pytest

from e2e.plane import PlaneError


def build_for(session: pytest.Session, fixture: str, build: Callable[[], object]) -> None:
    """Run `build` where a selected test asks for the fixture; the run ends where it fails."""
    if session.config.option.collectonly:
        return
    if not any(fixture in getattr(item, "fixturenames", ()) for item in session.items):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        if capture is None:
            build()
        else:
            with capture.global_and_fixture_disabled():
                build()
    except PlaneError as error:
        pytest.exit(f"what {fixture} needs cannot be built: {error}", returncode=1)
