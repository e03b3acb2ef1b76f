"""The CDI files of one node's prepared claims: the only record of what was prepared, read again after a restart."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog

from controller.agent.kubelet_plugins.cdi_spec import (
    FILE_PREFIX,
    FILE_SUFFIX,
    PreparedClaim,
    SpecError,
    file_name,
    prepared_claim,
)

_LARGEST_BYTES = 1 << 20
_UNFINISHED = ".tmp"  # CDI reads .json and .yaml only


class CdiFolder:
    """Files of `node` in a folder that other nodes and other drivers may use as well."""

    def __init__(self, folder: Path, node: str) -> None:
        self._folder = folder
        self._node = node
        self._log = structlog.get_logger(__name__).bind(node=node, folder=str(folder))

    def load(self) -> dict[str, PreparedClaim]:
        """What was prepared on this node, by the claim's uid. What a killed process left half written is removed.

        Raises OSError for a folder that cannot be read or cleared.
        """
        found = {}
        for path in sorted(self._folder.glob(f"{FILE_PREFIX}*{_UNFINISHED}")):
            path.unlink(missing_ok=True)
        for path in sorted(self._folder.glob(f"{FILE_PREFIX}*{FILE_SUFFIX}")):
            try:
                claim = _read(path)
            except (SpecError, ValueError) as error:
                # no runtime can use it, and the kubelet asks again for what it still needs
                self._log.warning("CDI file removed: not whole", file=path.name, error=str(error))
                path.unlink(missing_ok=True)
                continue
            if claim is not None and claim.node == self._node:
                found[claim.uid] = claim
        return found

    def write(self, uid: str, document: Mapping[str, Any]) -> None:
        """Replace the claim's file in one step. Raises OSError, and SpecError for what is no uid."""
        path = self._folder / file_name(uid)
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=f"{FILE_PREFIX}{uid}", suffix=_UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def holds(self, uid: str) -> bool:
        """Whether the claim's file is there. Raises SpecError for what is no uid."""
        return (self._folder / file_name(uid)).is_file()

    def remove(self, uid: str) -> None:
        """Take the claim's file away, if there is one. Raises OSError, and SpecError for what is no uid."""
        (self._folder / file_name(uid)).unlink(missing_ok=True)


def _read(path: Path) -> PreparedClaim | None:
    uid = path.name.removeprefix(FILE_PREFIX).removesuffix(FILE_SUFFIX)
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise SpecError(f"larger than {_LARGEST_BYTES} bytes")
        return prepared_claim(uid, orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return None  # gone meanwhile: another node's
