"""What must hold of our Dockerfile before anything of it is carried out. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from e2e.image.dockerfile import Copy, Dockerfile, Entrypoint, Stage, User
from e2e.image.installs import unlocked

_NUMERIC: Final = re.compile(r"[1-9]\d*:[1-9]\d*")
_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}$")


def broken(dockerfile: Dockerfile, sources: Mapping[str, bool]) -> list[str]:
    """A sentence for each rule that does not hold: the line, what is there, what helps.

    `sources`: what COPY takes from the context, and whether it is there.
    """
    named = {stage.name for stage in dockerfile.stages}
    return [
        *(
            f"line {stage.line}: FROM {stage.base} is no fixed image: name its digest, @sha256:..."
            for stage in dockerfile.stages
            if stage.base not in named and not _DIGEST.search(stage.base)
        ),
        *(told for stage in dockerfile.stages for told in unlocked(stage)),
        *(told for stage in dockerfile.stages for told in _missing(stage, sources)),
        *_from_nowhere(dockerfile),
        *_last(dockerfile.stages[-1]),
    ]


def copied(dockerfile: Dockerfile) -> set[str]:
    """What COPY takes from the context."""
    steps = (step.instruction for stage in dockerfile.stages for step in stage.steps)
    return {source for one in steps if isinstance(one, Copy) and one.stage is None for source in one.sources}


def _from_nowhere(dockerfile: Dockerfile) -> Iterator[str]:
    earlier: set[str] = set()
    for index, stage in enumerate(dockerfile.stages):
        for step in stage.steps:
            if isinstance(step.instruction, Copy) and step.instruction.stage not in {None, *earlier}:
                known = ", ".join(sorted(earlier)) or "none"
                yield f"line {step.line}: COPY --from={step.instruction.stage}: no stage before it (they are: {known})"
        earlier |= {stage.name, str(index)}


def _missing(stage: Stage, sources: Mapping[str, bool]) -> Iterator[str]:
    for step in stage.steps:
        if isinstance(step.instruction, Copy) and step.instruction.stage is None:
            for source in step.instruction.sources:
                if not sources.get(source):
                    yield f"line {step.line}: COPY {source}: is not there, or .dockerignore leaves it out"


def _last(stage: Stage) -> Iterator[str]:
    users = [step for step in stage.steps if isinstance(step.instruction, User)]
    if not users:
        yield f"line {stage.line}: the image has no USER and would run as root: end with USER 65532:65532"
    for step in users[-1:]:
        assert isinstance(step.instruction, User)
        if not _NUMERIC.fullmatch(step.instruction.text):
            yield f"line {step.line}: USER {step.instruction.text}: write numbers, uid:gid, neither of them root's"
    if not any(isinstance(step.instruction, Entrypoint) for step in stage.steps):
        yield f"line {stage.line}: the image has no ENTRYPOINT: pods give arguments only"
