"""What is done to publish, as commands: each with a limit. Pure."""

import re
from dataclasses import dataclass
from pathlib import Path

from e2e.commands import Command

NAME = "aim-gpu-sharing"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Places:
    """`registry` with its path, such as "ghcr.io/somebody"; `source` is the project, `build` takes the packed chart.

    `python`: the one that has our modules. `plain_http`: the registry is one on this machine, without TLS.
    """

    registry: str
    version: str
    source: Path
    build: Path
    helm: Path
    python: Path
    plain_http: bool = False

    @property
    def parts(self) -> Path:
        """The list of what the image consists of, as CycloneDX."""
        return self.build / "sbom.cdx.json"

    @property
    def saved(self) -> Path:
        """The image as an archive, for as long as its parts are listed."""
        return self.build / "image.tar"

    @property
    def tagged(self) -> str:
        """Our image by its version."""
        return f"{self.image}:{self.version}"

    @property
    def image(self) -> str:
        """Our image, without a tag."""
        return f"{self.registry}/{NAME}"

    @property
    def chart(self) -> str:
        """Our chart in the registry, without a tag: beside the image, which has the same name."""
        return f"{self.registry}/charts/{NAME}"


def image_made(places: Places) -> tuple[Command, ...]:
    """The image, built from the Dockerfile, and as an archive."""
    build = ("docker", "build", "--pull", "--tag", places.tagged, str(places.source))
    save = ("docker", "save", "--output", str(places.saved), places.tagged)
    return (Command("our image", build, 1800), Command("our image as an archive", save, 300))


def image_pushed(places: Places) -> Command:
    """The image into the registry, by its version."""
    return Command("our image into the registry", ("docker", "push", places.tagged), 900, tries=3)


def image_digest(places: Places) -> Command:
    """Says the image as the registry has it, by digest."""
    words = ("docker", "image", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}")
    return Command("the image's digest", (*words, places.tagged), 60)


def chart_made(places: Places) -> Command:
    """The chart, packed."""
    words = (str(places.helm), "package", str(places.source / "charts" / NAME), "--destination", str(places.build))
    return Command("our chart", words, 60)


def chart_pushed(places: Places) -> Command:
    """The chart into the registry; Helm says its digest on stderr."""
    packed = places.build / f"{NAME}-{places.version}.tgz"
    plain = ("--plain-http",) if places.plain_http else ()
    words = (str(places.helm), "push", *plain, str(packed), f"oci://{places.registry}/charts")
    return Command("our chart into the registry", words, 300)


def parts_listed(places: Places) -> Command:
    """What the saved image consists of: Debian's packages, Python's distributions. Fails for files of neither."""
    words = (str(places.python), "-m", "e2e.image", "sbom", "--archive", str(places.saved), "--out", str(places.parts))
    return Command("what the image consists of", words, 300)


def attested(places: Places, reference: str) -> Command:
    """The list of parts, signed, beside the image that `reference` names by digest."""
    words = ("cosign", "attest", "--yes", "--type", "cyclonedx", "--predicate", str(places.parts), reference)
    return Command("its parts beside the image", words, 300, tries=3)


def signed(reference: str) -> Command:
    """Signed by the identity that cosign finds, without a key that somebody must keep. `reference` ends in a digest."""
    if not re.search(r"@sha256:[0-9a-f]{64}$", reference):
        raise ValueError(f"{reference}: only what a digest names is signed, since a tag may be moved")
    return Command(f"the signature of {reference}", ("cosign", "sign", "--yes", reference), 300, tries=3)


def digest_in(told: str, repository: str = "") -> str:
    """The one digest in what a command said, of `repository` if it is given. Raises ValueError when it says none."""
    lines = [line for line in told.splitlines() if not repository or line.startswith(f"{repository}@")]
    found = {digest for line in lines for digest in _DIGEST.findall(line)}
    if len(found) != 1:
        raise ValueError(
            f"{len(found)} digests in what was to tell one{f' of {repository}' if repository else ''}: {told!r}"
        )
    (digest,) = found
    return str(digest)
