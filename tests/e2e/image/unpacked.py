"""`python -m tests.e2e.image.unpacked ARCHIVE FOLDER`: fills a folder with what a container of an image sees."""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

from e2e.image.tree import unpack_layer


def main() -> None:
    archive, target = map(Path, sys.argv[1:])
    with tarfile.open(archive) as image:

        def blob(descriptor: dict[str, Any]) -> bytes:
            content = image.extractfile("blobs/" + descriptor["digest"].replace(":", "/"))
            assert content is not None
            return content.read()

        index = json.loads(image.extractfile("index.json").read())  # type: ignore[union-attr]
        for layer in json.loads(blob(index["manifests"][0]))["layers"]:
            kept = target / "layer.tar"
            kept.write_bytes(blob(layer))
            unpack_layer(kept, target)
            kept.unlink()


if __name__ == "__main__":
    main()
