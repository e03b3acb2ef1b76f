"""The programs a plane consists of: where each comes from, at which version, and how long a build takes.

A family is one Go module under `tools/`; its programs are built from one set of locked dependencies. The versions
here are those of the `go.mod` files (a test compares them).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parent / "tools"

_KUBERNETES = "1.35.4"


@dataclass(frozen=True, slots=True)
class Program:
    """One binary: its file name, its Go package, and the wall time of a cold build on two cores, in seconds.

    The time includes the download of modules and what the earlier programs of the family already compiled.
    """

    name: str
    package: str
    typical_seconds: int


@dataclass(frozen=True, slots=True)
class Family:
    """Programs that share a Go module, in the folder `name` of `parent`.

    `version` is a plain semantic version, without the leading v.
    """

    name: str
    version: str
    programs: tuple[Program, ...]
    ldflags: str = "-s -w"
    parent: Path = TOOLS

    @property
    def minor(self) -> str:
        """Major and minor, such as "1.35": what a binary that was built elsewhere must share."""
        return ".".join(self.version.split(".")[:2])

    @property
    def module(self) -> Path:
        """The folder that holds the family's go.mod and go.sum."""
        return self.parent / self.name


def _stamp(version: str) -> str:
    """Linker flags that write the version: built as a dependency, Kubernetes calls itself v0.0.0-master."""
    variables = "k8s.io/component-base/version"
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X {variables}.{key}={value}" for key, value in values.items())])


FAMILIES = (
    Family("etcd", "3.6.16", (Program("etcd", "go.etcd.io/etcd/server/v3", 35),)),
    Family("kwok", "0.8.0", (Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", 55),)),
    Family(
        "kubernetes",
        _KUBERNETES,
        (
            Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", 150),
            Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", 40),
            Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", 5),
        ),
        _stamp(_KUBERNETES),
    ),
)


def programs() -> Iterator[tuple[Family, Program]]:
    """Every program with its family, in the order in which they are built."""
    for family in FAMILIES:
        for program in family.programs:
            yield family, program
