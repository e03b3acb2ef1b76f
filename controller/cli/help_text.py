"""What a verb's help says, of its docstring, and a list of verbs: typer would cut that to a line of its own."""

import inspect


def help_of(verb: object) -> str:
    """The docstring with a line a paragraph: where lines end is the terminal's to say."""
    paragraphs = (inspect.getdoc(verb) or "").split("\n\n")
    return "\n\n".join(each.replace("\n", " ") for each in paragraphs)


def summary_of(verb: object) -> str:
    """The docstring's first paragraph."""
    return help_of(verb).partition("\n")[0]
