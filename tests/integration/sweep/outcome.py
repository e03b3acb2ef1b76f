"""What a sweep has found so far: written at its end, however that comes."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """`ran`: seconds of each case that came to its end, well or not; `violations` by case, as sentences.

    `chosen`: how many cases there are; `current`: the one under way.
    """

    seed: int
    chosen: int
    ran: dict[str, float] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    current: str = ""

    def standing(self) -> str:
        """Where it stands, as a line."""
        number = len(self.ran) + bool(self.current)
        return f"case {number} of {self.chosen}, {len(self.violations)} violations: {self.current}"

    def end(self, seconds: float, violation: str | None = None) -> None:
        """The case under way has come to its end."""
        self.ran[self.current] = round(seconds, 1)
        if violation is not None:
            self.violations[self.current] = violation
        self.current = ""

    def write(self, folder: Path) -> str:
        """Write it to sweep.json in the folder; the same in short, as JSON in one line."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sweep.json").write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        counts = {"chosen": self.chosen, "cases": len(self.ran), "violations": len(self.violations)}
        return json.dumps({"seed": self.seed, **counts})
