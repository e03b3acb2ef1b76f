"""How every verb tells that it cannot take its arguments: as other bad input is told, and where help is."""


def wrong_arguments(problem: str, command: str) -> str:
    """The text for stderr. `command`: the verb as it was called, such as ``aim-gpu size``."""
    problem = problem[:1].lower() + problem[1:].removesuffix(".")
    return f"error: {problem}\nTry '{command} --help' for help.\n"
