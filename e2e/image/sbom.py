"""The list of an image's parts as CycloneDX has it (SBOM): the same image gives the same bytes."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from e2e.image.contents import contents
from e2e.image.errors import ImageError
from e2e.image.locked_wheels import Wheel, locked_wheels, wheel_of
from e2e.image.parts import Part, parts, system, unlisted, wanted
from e2e.image.reading import image_archive

OURS = "aim-gpu-sharing"
_VERSION = SchemaVersion.V1_6
_SPACE = uuid.UUID("8c1f3c0e-6c0b-5f6e-9a55-0d5a3b4f2a11")
_SHOWN = 5


def sbom(archive: Path, lock: str) -> str:
    """The parts of the image in an archive, as a JSON document. `lock`: the text of uv.lock.

    Raises ImageError when a file of the image belongs to no listed part, or the document is not as CycloneDX wants it.
    """
    with image_archive(archive) as image:
        seen = contents(image, wanted)
        configuration = image.configuration
    try:
        found = parts(seen)
    except ValueError as error:
        raise ImageError(str(error)) from error
    layers = configuration["rootfs"]["diff_ids"]
    document = written(found, locked_wheels(lock), system(seen), layers, configuration.get("created", ""))
    listed = tuple(part for part in found if f'"{part.purl}"' in document)
    if wrong := [*left_out(unlisted(seen, listed)), *invalid(document)]:
        raise ImageError("; ".join(wrong))
    return document


def written(
    found: Sequence[Part],
    wheels: Mapping[tuple[str, str], tuple[Wheel, ...]],
    running: tuple[str, str],
    layers: Sequence[str],
    created: str,
) -> str:
    """The document. `running`: name and version of the Linux distribution; `layers`: digests that name the image.

    `created` is a time as RFC 3339 has it. Raises ImageError when our own distribution is not among the parts.
    """
    ours = next((part for part in found if part.name == OURS), None)
    if ours is None:
        raise ImageError(f"{OURS} is no distribution of the image: was it installed?")
    bom = Bom(serial_number=uuid.uuid5(_SPACE, " ".join(layers)))
    if created:
        bom.metadata.timestamp = datetime.fromisoformat(created).astimezone(UTC)
    image = Component(name=OURS, version=ours.version, type=ComponentType.CONTAINER, bom_ref="image")
    image.properties.update(Property(name=f"aim:layer:{index}", value=one) for index, one in enumerate(layers))
    bom.metadata.component = image
    linux = Component(
        name=running[0], version=running[1], type=ComponentType.OPERATING_SYSTEM, bom_ref="operating-system"
    )
    components = [linux, *(_component(part, wheel_of(part, wheels)) for part in found)]
    bom.components.update(components)
    bom.register_dependency(image, components)
    return make_outputter(bom, OutputFormat.JSON, _VERSION).output_as_string(indent=2) + "\n"


def invalid(document: str) -> list[str]:
    """A sentence when a document does not fit CycloneDX' schema."""
    from cyclonedx.validation.json import JsonStrictValidator  # two seconds of importing, for those who validate alone

    problem = JsonStrictValidator(_VERSION).validate_str(document)
    return [f"the list of parts does not fit CycloneDX {_VERSION.to_version()}: {problem}"] if problem else []


def left_out(files: Sequence[str]) -> list[str]:
    """A sentence when files of the image belong to no listed part."""
    if not files:
        return []
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return [f"the list of parts leaves out what these files are of: {', '.join(files[:_SHOWN])}{more}"]


def _component(part: Part, wheel: Wheel | None) -> Component:
    purl = PackageURL.from_string(part.purl)
    factory = LicenseFactory()
    made = [factory.make_from_string(name) for name in part.licences]
    # an expression may only stand alone: of several each is a licence of its own, by name where SPDX has none
    several = len(made) > 1
    component = Component(
        name=part.name,
        version=part.version,
        purl=purl,
        bom_ref=part.purl,
        type=ComponentType.APPLICATION if part.name == OURS else ComponentType.LIBRARY,
        licenses=[
            DisjunctiveLicense(name=str(one.value)) if several and isinstance(one, LicenseExpression) else one
            for one in made
        ],
    )
    if wheel is not None:
        digest = HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)
        reference = ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(wheel.url), hashes=[digest])
        component.external_references.add(reference)
    return component
