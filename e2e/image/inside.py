"""The part of a build that runs in the namespaces: a program of its own, whose last word is JSON on stdout."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from e2e.image.archive import write_archive
from e2e.image.context import Context
from e2e.image.dockerfile import parse
from e2e.image.errors import ImageError
from e2e.image.stages import Made, Stages
from e2e.image.store import LayerStore, chained
from e2e.plane import Progress

_KEEP_ARCHIVES = 3


def build_inside(source: Path, name: str, folder: Path) -> dict[str, str | int]:
    """Build with `$TMPDIR` to work in; gives what `BuiltImage` holds, as JSON has it. Raises ImageError."""
    work = Path(os.environ["TMPDIR"])
    store = LayerStore(folder / "layers")
    store.prune()
    stages = Stages(
        parse((source / "Dockerfile").read_text(encoding="utf-8")), Context.of(source), store, work, Progress()
    )
    made = stages.build()
    archive, digest = _archive(folder, store, name, made, stages.epoch)
    size = sum(layer.size for layer in made.layers)
    return {"name": name, "digest": digest, "archive": str(archive), "size": size}


def _archive(folder: Path, store: LayerStore, name: str, made: Made, epoch: int) -> tuple[Path, str]:
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    layers = [(layer, store.archive(layer.key)) for layer in made.layers]
    key = chained(name, repr(made.configuration), created, *(layer.digest for layer in made.layers))[:32]
    archive, note = folder / f"{key}.tar", folder / f"{key}.digest"
    if archive.exists() and note.exists():
        os.utime(note)
        return archive, note.read_text(encoding="ascii")
    unfinished = folder / "archive.part"
    digest = write_archive(unfinished, name, made.configuration, layers, created)
    unfinished.rename(archive)
    note.write_text(digest, encoding="ascii")
    for old in sorted(folder.glob("*.digest"), key=lambda path: path.stat().st_mtime)[:-_KEEP_ARCHIVES]:
        old.with_suffix(".tar").unlink(missing_ok=True)
        old.unlink()
    return archive, digest


def _main() -> None:
    source, name, folder = sys.argv[1:]
    try:
        answer = build_inside(Path(source), name, Path(folder))
    except ImageError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _main()
