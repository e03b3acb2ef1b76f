"""Who runs the commands that stand on pages: every block has a row here, or a row of its whole page.

A block without one fails `test_blocks`. `ON_CLUSTER` is run by `tests/integration/stories`, command by command, on a
local control plane with operator and agents; `OFFLINE` by `test_commands`; `By` names another test, in which
`test_blocks` looks for the page or for the commands' words; `Alike` says what a test runs in their place; `Nobody` why
there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.docs.blocks import Block


@dataclass(frozen=True, slots=True)
class By:
    """Run by a test elsewhere: a path, with `::name` where a file has several.

    It reads the page, or says the same words: itself, or files of `through`, which it runs commands by.
    """

    test: str
    through: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alike:
    """Not run as it stands there: what a test runs in its place."""

    test: str
    instead: str


@dataclass(frozen=True, slots=True)
class Nobody:
    """No test runs it, for this reason."""

    why: str


@dataclass(frozen=True, slots=True)
class Here:
    """Run where its name says."""

    name: str


ON_CLUSTER: Final = Here("on a local control plane")
OFFLINE: Final = Here("without a cluster")
STORY: Final = Here("as a story")
Treatment = By | Alike | Nobody | Here

_MAKE: Final = Nobody("a whole run of make, which takes minutes; the target's parts have tests of their own")
_DOCKER: Final = Nobody("needs Docker, a registry or a forge, which no test machine of ours has")
_WINDOW: Final = Nobody(
    "a process that is left running in a terminal; started with the same options by tests of its own"
)
_FOUR: Final = Alike(
    "e2e/suite/test_install.py",
    "a release with the same options and labels of namespace and node, by `helm upgrade --install`, and other models",
)
_MAKE_RUN: Final = Alike(
    "tests/integration/run/test_make_run.py", "what make runs, `python -m e2e.run`, with and without its options"
)
_RELEASE: Final = ("e2e/suite/release.py", "e2e/chart/helm.py")

#: By page and heading, or one block under it by its number; "" is the rest of the page.
TREATMENTS: Final[Mapping[str, Mapping[str, Treatment]]] = {
    "README.md": {
        "Install it": _FOUR,
        "Try it": _MAKE_RUN,
        "Your first model": ON_CLUSTER,
        "Ask it": Alike(
            "tests/integration/run/test_make_run.py",
            "requests of the same form with the same kind of token, sent by the run itself and not by curl",
        ),
        "Look at it": ON_CLUSTER,
        "Break it": Alike(
            "tests/e2e/run/test_faults.py",
            "the page's scripts are read as make run reads them; what such faults lead to is for tests/integration",
        ),
        "Commands": OFFLINE,
    },
    "CONTRIBUTING.md": {
        "Set up": _MAKE,
        "Operator and agents by hand": Nobody(
            "three terminals; tests start the same processes by e2e/run/processes.py"
        ),
    },
    "docs/agent.md": {
        "Starting it": _WINDOW,
        "What it reports": Nobody(
            "takes a GPU that is missing off a status; tests/controller/agent does it on a status of its own"
        ),
    },
    "docs/backup.md": {"": By("tests/integration/operator/test_backup.py")},
    "docs/chaos.md": {"": Alike("tests/chaos/test_run.py", "35 seconds of the same, with all kinds of faults")},
    "docs/cli.md": {
        "Get the command": Nobody("takes all that it needs from PyPI; tests start the same entry points from .venv"),
        "top / 2": Alike("tests/controller/cli/test_top.py", "another Prometheus, named by the option"),
        "completion / 1": By("tests/controller/cli/test_completion.py"),
        "": By("tests/docs/test_cli_page.py", ("tests/docs/cli_page.py",)),
    },
    "docs/dashboards.md": {"Load them": ON_CLUSTER, "": _WINDOW},
    "docs/deploying.md": {
        "By Helm": _FOUR,
        "Gateway and exporter": Alike("e2e/suite/test_qos.py", "the gateway so, with a Secret that is applied"),
        "Upgrade": By("e2e/suite/test_upgrade.py", _RELEASE),
        "Uninstall / 1": By("e2e/suite/test_uninstall.py", _RELEASE),
        "Uninstall / 2": By("tests/charts/test_install_script.py"),
        "Plain manifests": By("tests/charts/test_install_script.py", ("tests/integration/manifests/test_apply.py",)),
    },
    "docs/explain.md": {
        "": Nobody(
            "answers of a cluster with a long history; tests/integration/cli/test_explain.py judges such answers"
        )
    },
    "docs/gitops.md": {"": By("tests/integration/operator/test_gitops.py")},
    "docs/hardware.md": {"Backends": OFFLINE},
    "docs/image.md": {
        "The image": Alike("tests/e2e/image/test_build.py", "the Dockerfile is carried out; make test has image-check"),
        "": By("tests/e2e/image/test_sbom.py", ("e2e/image/__main__.py",)),
    },
    "docs/map.md": {
        "The live map": Alike(
            "tests/integration/ui/test_live_map.py", "the same without a browser, which it starts itself"
        ),
        "In the cluster": By("e2e/suite/test_map.py"),
    },
    "docs/metrics.md": {
        "Send them to a collector": Alike("tests/controller/telemetry", "a collector that takes what processes send"),
        "Services without the gateway": By("tests/integration/manifests/test_apply.py", ("e2e/chart/installed.py",)),
    },
    "docs/nodes.md": {
        "Take a node out for maintenance": By("tests/integration/cli/test_drain.py", ("e2e/suite/test_drain.py",)),
        "": ON_CLUSTER,
    },
    "docs/olm.md": {
        "Tried": Nobody("starts a test of its own, by the words that pytest knows; make e2e-node runs it"),
        "": Alike(
            "tests/integration/olm/test_lifecycle.py", "the same objects by OLM's own controllers, not by opm serve"
        ),
    },
    "docs/operating.md": {
        "Metrics": Alike(
            "tests/integration/runtime/test_metrics_endpoint.py", "the same role and such a token, asked by aiohttp"
        ),
        "": ON_CLUSTER,
    },
    "docs/qos.md": {
        "The gateway in a cluster": Alike(
            "tests/integration/manifests/test_apply.py",
            "the manifest is applied so; e2e/suite/test_qos.py has the Secret",
        ),
        "Who may call": ON_CLUSTER,
        "Several replicas": _WINDOW,
    },
    "docs/releasing.md": {"Go back": OFFLINE, "": _DOCKER},
    "docs/repartitioning.md": {
        "": Alike("tests/integration/operator/test_defragmentation.py", "a plan of that kind, read through the API")
    },
    "docs/scheduling.md": {"": ON_CLUSTER},
    "docs/simulated-engine.md": {"": Alike("tests/e2e/engine", "the same engines, started and asked in the test")},
    "docs/sizing-examples.md": {"": By("tests/controller/cli/test_size_page.py")},
    "docs/profiles.md": {"": OFFLINE},
    "docs/model-profiles.md": {
        "": Nobody(
            "what a cluster with running engines answers; tests/integration/operator/test_model_profiles.py judges it"
        )
    },
    "docs/quick-start.md": {
        "Before you begin": ON_CLUSTER,
        "On a cluster / 2": By("tests/integration/stories/test_stories.py", ("examples",)),
        "On a cluster / 3": By(
            "tests/integration/stories/test_stories.py",
            ("examples", "tests/integration/ui", "tests/controller/cli/test_top.py"),
        ),
        "On a cluster": _FOUR,
        "Without a cluster, without a GPU": _MAKE_RUN,
        "How much does a model need?": OFFLINE,
        "Take it away": By("e2e/suite/test_uninstall.py", (*_RELEASE, "examples")),
    },
    "docs/placing.md": {"": OFFLINE},
    "docs/modes.md": {"": OFFLINE},
    "docs/troubleshooting.md": {
        "A local run does not start": _MAKE_RUN,
        "Without the Job": Alike(
            "tests/integration/chart_addons/test_releases.py",
            "an uninstall without hooks; tests/integration/release runs `aim-gpu release --all` before and after one",
        ),
        "": ON_CLUSTER,
    },
    "examples/flooded-neighbour/README.md": {"": By("tests/integration/stories/test_flooded_neighbour.py")},
    "examples/kserve/README.md": {"": By("tests/integration/kserve/test_kserve_story.py")},
}

#: Single commands of pages that are run on a cluster which are left out there: how they begin, or what they have, and why.
LEFT_OUT: Final[Mapping[str, str]] = {
    "kubectl logs": "no container runs on simulated nodes, so there is no log",
    "kubectl get certificates": "a kind of cert-manager's, which is not there",
    "kubectl get isvc,": "a kind of KServe's, which is not on this plane; the story with KServe asks for it",
    "aim-gpu approve": "asks a person; the story of the approval runs it",
    "aim-gpu rollback": "asks a person; the story of the approval runs it",
    "prometheusrule": "a kind of Prometheus' operator, which is not there",
    "export ": "sets what the test sets itself",
    "kubectl label configmap": "the one before it is run",
    "kubectl patch aimmp": "takes back what engines took, and no engine has run here",
    "aim-gpu-webhook-certificates": "made by the operator in its own namespace, which tests of certificates look at",
}


def treatment(block: Block) -> Treatment | None:
    """The block's row, or that of its page; runbooks and stories have one for all of theirs."""
    rows = TREATMENTS.get(block.page)
    if rows is not None:
        one = rows.get(f"{block.heading} / {block.number}", rows.get(block.heading))
        return rows.get("") if one is None else one
    if block.page.startswith("docs/runbooks/"):
        return ON_CLUSTER
    return STORY if block.page.startswith("examples/") else None


def left_out(command: str) -> str | None:
    """Why a single command is not run on a cluster."""
    return next((why for part, why in LEFT_OUT.items() if command.startswith(part) or f" {part}" in command), None)
