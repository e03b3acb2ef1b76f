"""`python -m tests.fuzz.gateway.guided SECONDS SEED FOLDER`: scripts that reach new places in the code are varied further.

A process of its own, since libFuzzer ends the one it runs in: with 0 when time is up, otherwise when something is
violated, after it has written the script to FOLDER as `crash-...`. What was played is written to FOLDER/tally.json from
time to time, and at the end of time.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["controller.gateway", "controller.qos"]):
    from tests.fuzz.gateway.play import play

from tests.fuzz.gateway.search import LONGEST, scripts

TALLY_EVERY_SECONDS = 2.0
SEEDS = 200
"""Scripts drawn at random to begin with."""


def main() -> None:
    """Search until time is up; does not return."""
    seconds, seed, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, script in zip(range(SEEDS), scripts(seed), strict=False):
        (corpus / f"drawn-{number}").write_bytes(script)
    happened: Counter[str] = Counter()
    played = 0
    written = time.monotonic()

    def one(data: bytes) -> None:
        nonlocal played, written
        happened.update(play(data))
        played += 1
        if time.monotonic() - written > TALLY_EVERY_SECONDS:
            written = time.monotonic()
            (folder / "tally.new").write_text(json.dumps({"scripts": played, "happened": happened}))
            (folder / "tally.new").replace(folder / "tally.json")

    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST}", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, "-verbosity=0", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
