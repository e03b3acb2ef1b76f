"""`opm`, which reads and judges file-based catalogues."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from e2e.plane import PlaneError, ensure_binaries
from e2e.plane.programs import OPM

_LIMIT_SECONDS: Final = 120


class Refused(PlaneError):
    """What `opm` said of a catalogue or a bundle."""


@dataclass(frozen=True, slots=True)
class Opm:
    """The program at `binary`."""

    binary: Path

    @classmethod
    def built(cls) -> Self:
        """The one of the cache, built if it is not there yet. Raises PlaneError's tree."""
        return cls(ensure_binaries(families=(OPM,))["opm"])

    def validate(self, catalogue: Path) -> None:
        """Raises Refused where the catalogue in the folder is not right."""
        self._told("validate", str(catalogue))

    def rendered(self, bundle: Path, image: str) -> list[dict[str, Any]]:
        """A bundle's folder as a catalogue holds it, the newest way; `image` is where it will be. Raises Refused."""
        options = ["--output=json", "--migrate-level=bundle-object-to-csv-metadata"]
        told = self._told("render", str(bundle), f"--alpha-image-ref-template={image}", *options)
        return _documents(told)

    def _told(self, *arguments: str) -> str:
        command = [str(self.binary), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
        if done.returncode != 0:
            raise Refused(f"opm {arguments[0]}: {done.stderr.strip()}")
        return done.stdout


def _documents(text: str) -> list[dict[str, Any]]:
    """JSON objects that follow each other without a separator."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found
