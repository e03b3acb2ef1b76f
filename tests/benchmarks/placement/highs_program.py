"""HiGHS as a process: models as lines of JSON on stdin, solutions as lines of JSON on stdout.

The solver is of the lock file's group `bench` and in no environment of the product, so this file is run by an interpreter
that has it and imports nothing of ours: `python highs_program.py GAP SECONDS`. What a model is: ``milp.py``.
"""

import json
import os
import sys
from typing import Any

import highspy


def solved(model: dict[str, Any], gap: float, seconds: float) -> dict[str, float]:
    """The best integer solution found, the bound, and the seconds it took."""
    highs = highspy.Highs()
    options = {"output_flag": False, "threads": 1, "random_seed": 0, "mip_rel_gap": gap, "time_limit": seconds}
    for option, value in options.items():
        highs.setOptionValue(option, value)
    highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
    for lower, upper, gain in model["columns"]:
        highs.addCol(gain, lower, upper, 0, [], [])
    many = len(model["columns"])
    highs.changeColsIntegrality(many, list(range(many)), [highspy.HighsVarType.kInteger] * many)
    for lower, upper, terms in model["rows"]:
        highs.addRow(lower, upper, len(terms), list(map(int, terms)), list(terms.values()))
    highs.run()
    info = highs.getInfo()
    return {"best": info.objective_function_value, "bound": info.mip_dual_bound, "seconds": highs.getRunTime()}


def main() -> None:
    """Answer until stdin ends."""
    gap, seconds = map(float, sys.argv[1:3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library itself prints is for people
    for line in sys.stdin:
        answers.write(json.dumps(solved(json.loads(line), gap, seconds)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
