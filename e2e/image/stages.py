"""Carries a Dockerfile's stages out, step by step, from the first one that has no layer yet.

key = key before + instruction + contents copied -> layer kept? -> else: unpack what is below, do it, keep it
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from e2e.image.archive import Configuration
from e2e.image.chroot import Command, run_in_root
from e2e.image.context import Context
from e2e.image.debian import make_base, release_of
from e2e.image.dockerfile import (
    Arg,
    Cmd,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Label,
    Run,
    Stage,
    Step,
    User,
    Workdir,
    expand,
)
from e2e.image.errors import DockerfileError, StepFailed
from e2e.image.store import Layer, LayerStore, chained
from e2e.image.tree import difference, scan, unpack_layer
from e2e.plane import Progress

EPOCH = "SOURCE_DATE_EPOCH"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HERE = Path(__file__).parent
_TYPICAL_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Made:
    """A stage so far: its layers, what its container begins with, the variables of its build, and its key."""

    key: str
    layers: tuple[Layer, ...]
    configuration: Configuration
    arguments: Mapping[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """What `$NAME` stands for, and a step's environment: an ENV is stronger than an ARG."""
        return {**self.arguments, **self.configuration.env}


class Stages:
    """The stages of one Dockerfile. `work` is an empty folder, on a tmpfs where writing is to be quick."""

    def __init__(
        self, dockerfile: Dockerfile, context: Context, store: LayerStore, work: Path, progress: Progress
    ) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._store = store
        self._work = work
        self._progress = progress
        self._made: dict[str, Made] = {}
        self._roots: dict[str, Path] = {}
        self._done = 0
        self._total = sum(isinstance(step.instruction, Run | Copy) for stage in self._needed() for step in stage.steps)
        self.epoch = int(dockerfile.arguments.get(EPOCH, "0"))

    def build(self) -> Made:
        """The last stage, and whatever it is made of. Raises ImageError."""
        for stage in self._needed():
            self._made[stage.name] = self._stage(stage)
        return self._made[self._dockerfile.stages[-1].name]

    def _needed(self) -> list[Stage]:
        """The stages that the last one is made of, in order."""
        named = {stage.name: stage for stage in self._dockerfile.stages}
        wanted, pending = set[str](), [self._dockerfile.stages[-1]]
        while pending:
            stage = pending.pop()
            wanted.add(stage.name)
            copied = (step.instruction.stage for step in stage.steps if isinstance(step.instruction, Copy))
            pending += [named[name] for name in (stage.base, *copied) if name in named and name not in wanted]
        return [stage for stage in self._dockerfile.stages if stage.name in wanted]

    def _stage(self, stage: Stage) -> Made:
        made = self._made.get(stage.base) or self._base(stage)
        made = replace(made, arguments={})
        for step in stage.steps:
            try:
                made = self._step(stage, made, step)
            except StepFailed as error:
                raise StepFailed(f"line {step.line}: {error}") from error
        return made

    def _base(self, stage: Stage) -> Made:
        release = release_of(stage.base, stage.line)
        key = chained("base", stage.base, str(self.epoch), _own_source())
        layer = self._store.find(key)
        if layer is None:
            root = self._work / f"base-{release}"
            with self._progress.step(1, 1, f"base: Debian {release} from its packages", 60) as shown:
                make_base(release, root, self.epoch, shown.tick)
                layer = self._store.add(key, f"FROM {stage.base}", root, difference({}, scan(root)), self.epoch)
            self._roots[key] = root
        return Made(key, (layer,), Configuration(env={"PATH": _PATH}), {})

    def _step(self, stage: Stage, made: Made, step: Step) -> Made:
        configuration = made.configuration
        match step.instruction:
            case Arg(name, default):
                given = self._dockerfile.arguments.get(name) if default is None else expand(default, made.variables)
                return replace(made, arguments={**made.arguments, **({} if given is None else {name: given})})
            case Env(values):
                env = {name: expand(value, made.variables) for name, value in values.items()}
                return replace(made, configuration=replace(configuration, env={**configuration.env, **env}))
            case Label(values):
                labels = {name: expand(value, made.variables) for name, value in values.items()}
                return replace(made, configuration=replace(configuration, labels={**configuration.labels, **labels}))
            case Workdir(path):
                folder = str(Path(configuration.workdir, expand(path, made.variables)))
                return replace(made, configuration=replace(configuration, workdir=folder))
            case User(text):
                return replace(made, configuration=replace(configuration, user=expand(text, made.variables)))
            case Entrypoint(words):
                return replace(made, configuration=replace(configuration, entrypoint=words, cmd=()))
            case Cmd(words):
                return replace(made, configuration=replace(configuration, cmd=words))
            case Run(words):
                variables = sorted(made.variables.items())
                key = chained(made.key, "RUN", repr(words), repr(variables), configuration.workdir, configuration.user)
                command = Command(words, made.variables, configuration.workdir, _numbers(configuration.user, step.line))
                return self._changing(stage, made, key, words[-1], lambda root, tick: _run(root, command, tick))
            case Copy() as copy:
                return self._copying(stage, made, step.line, copy)

    def _copying(self, stage: Stage, made: Made, line: int, copy: Copy) -> Made:
        target = str(Path(made.configuration.workdir, copy.destination)) + "/" * copy.destination.endswith("/")
        title = f"COPY {' '.join(copy.sources)} {copy.destination}"
        if copy.stage is None:
            key = chained(made.key, "COPY", target, repr(copy.sources), self._contents(copy))
            return self._changing(stage, made, key, title, lambda root, _: self._copy_context(root, copy, target))
        source = self._made.get(copy.stage)
        if source is None:
            raise DockerfileError(line, f"COPY --from={copy.stage}: no stage before this one has that name")
        key = chained(made.key, "COPY", target, repr(copy.sources), source.key)
        return self._changing(stage, made, key, title, lambda root, _: self._copy_stage(root, copy, target, source))

    def _changing(
        self, stage: Stage, made: Made, key: str, title: str, act: Callable[[Path, Callable[[str], None]], None]
    ) -> Made:
        """The stage with the layer of one more step: the kept one, or a new one."""
        self._done += 1
        layer = self._store.find(key)
        if layer is None:
            shown = f"{stage.name}: {title}"[:100]
            with self._progress.step(self._done, self._total, shown, _TYPICAL_SECONDS) as step:
                root = self._root(made)
                before = scan(root)
                act(root, step.tick)
                layer = self._store.add(key, title, root, difference(before, scan(root)), self.epoch)
            self._roots = {one: folder for one, folder in self._roots.items() if folder != root} | {key: root}
        return replace(made, key=key, layers=(*made.layers, layer))

    def _root(self, made: Made, *, to_write: bool = True) -> Path:
        """A folder with the layers so far. One of a finished stage is not written to: others begin with it, or copy."""
        root = self._roots.get(made.key)
        finished = any(made.key == other.key for other in self._made.values())
        if root is not None and not (to_write and finished):
            return root
        root = self._work / f"root-{len(list(self._work.iterdir()))}"
        unpack(self._store, made.layers, root)
        if not finished or not to_write:
            self._roots[made.key] = root
        return root

    def _contents(self, copy: Copy) -> str:
        digest = hashlib.sha256()
        for source in copy.sources:
            for path in self._context.under(source):
                file = self._context.root / path
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{path} {content} {_executable(file)}\n".encode())
        return digest.hexdigest()

    def _copy_context(self, root: Path, copy: Copy, target: str) -> None:
        for source in copy.sources:
            for path in self._context.under(source):
                whole = str(path) == source
                inner = path.name if whole and target.endswith("/") else "" if whole else path.relative_to(source)
                destination = root / target.lstrip("/") / inner
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._context.root / path, destination)
                destination.chmod(0o755 if _executable(self._context.root / path) else 0o644)

    def _copy_stage(self, root: Path, copy: Copy, target: str, source: Made) -> None:
        from_root = self._root(source, to_write=False)
        for name in copy.sources:
            found = from_root / name.lstrip("/")
            destination = root / target.lstrip("/")
            if not found.exists():
                raise StepFailed(f"COPY --from={copy.stage} {name}: it is not there")
            if found.is_dir():
                shutil.copytree(found, destination, symlinks=True, dirs_exist_ok=True)
                continue
            destination = destination / found.name if target.endswith("/") else destination
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, destination)


def unpack(store: LayerStore, layers: tuple[Layer, ...], root: Path) -> None:
    """Fill a new folder with what a container of these layers sees. Raises StepFailed."""
    root.mkdir()
    for layer in layers:
        unpack_layer(store.archive(layer.key), root)


def _run(root: Path, command: Command, tick: Callable[[str], None]) -> None:
    (root / command.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    run_in_root(root, command, tick)


def _numbers(user: str, line: int) -> str:
    """uid:gid for chroot. Raises DockerfileError for a name, which would have to be looked up."""
    uid, _, gid = (user or "0:0").partition(":")
    if not uid.isdigit() or not (gid or uid).isdigit():
        raise DockerfileError(line, f"USER {user}: give numbers, uid:gid")
    return f"{uid}:{gid or uid}"


def _executable(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o100)


def _own_source() -> str:
    """What makes layers: another version of it makes others."""
    names = ("chroot.py", "debian.py", "stages.py", "tree.py")
    return chained(*((_HERE / name).read_text(encoding="utf-8") for name in names))
