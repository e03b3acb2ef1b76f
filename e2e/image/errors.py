"""What can go wrong with the image, by what the caller would do about it.

```
ImageError
├── PrerequisiteMissing    this machine cannot build it; names what is missing
├── DockerfileError        an instruction that is wrong, or that only a Docker engine knows; names its line
└── StepFailed             a command failed, or a file to copy is not there; carries the command's last lines
```
"""


class ImageError(Exception):
    """The image was not built; the text says why and what helps."""


class PrerequisiteMissing(ImageError):
    """Not Linux, not root, or a program of Debian's is not there."""


class DockerfileError(ImageError):
    """The Dockerfile, or the .dockerignore, cannot be carried out as it stands."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


class StepFailed(ImageError):
    """An instruction is understood and did not work."""
