"""A script of faults read from a JSON file; what cannot be played is refused by place, value and remedy."""

from pathlib import Path

import msgspec

from controller.agent.simulated_faults import Call, Durations, Fault, FaultScript, FaultScriptError, ScriptedFault


def load_script(path: Path) -> FaultScript:
    """The script in a JSON file. Raises FaultScriptError naming file, place, value and remedy."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=FaultScript)
    except OSError as error:
        raise FaultScriptError(f"{path}: cannot be read ({error}): give a file with a script of faults") from error
    except msgspec.ValidationError as error:
        remedy = "" if isinstance(error.__cause__, FaultScriptError) else f": {_remedy(str(error))}"
        raise FaultScriptError(f"{path}: {error}{remedy}") from error
    except msgspec.DecodeError as error:
        raise FaultScriptError(f'{path}: {error}: write JSON such as {{"faults": [{{"fault": "Busy"}}]}}') from error


def _remedy(problem: str) -> str:
    """What helps against a value of the wrong form; msgspec's text says which one, and ends with its place."""
    if "enum value" in problem:
        return f"use one of {', '.join(Call if problem.endswith('.call`') else Fault)}"
    if "required field `fault`" in problem:
        return f"say which, one of {', '.join(Fault)}"
    if "unknown field" in problem:
        return f"its fields are {', '.join(_fields_at(problem))}"
    return "give it as the page on hardware shows"


def _fields_at(problem: str) -> tuple[str, ...]:
    _, _, place = problem.rpartition(" - at ")
    if "$.faults" in place:
        return ScriptedFault.__struct_fields__
    return Durations.__struct_fields__ if "$.durations" in place else FaultScript.__struct_fields__
