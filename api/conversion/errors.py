"""Why an object cannot be had in the other version."""


class ConversionError(ValueError):
    """An object cannot be converted.

    ``problem`` names the field or stash item, its value and the remedy; ``subject`` names the object, and is empty
    until :func:`api.conversion.convert` knows it. The text is both.
    """

    def __init__(self, problem: str, subject: str = "") -> None:
        super().__init__(f"{subject}: {problem}" if subject else problem)
        self.problem = problem
        self.subject = subject
