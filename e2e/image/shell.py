"""Reads a RUN's sentence as the shell would, as far as it is plain: commands joined by &&, their words spelled out.

    sentence -> [tree-sitter's grammar of the shell] -> tree -> commands

What a shell would only find out when it runs is refused: variables, substitutions, escapes, pipes, branches. So what is
judged afterwards is what is carried out. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_GRAMMAR: Final = Language(tree_sitter_bash.language())
_APPEND: Final = ">>"
_PLAIN: Final = "write out what is meant: commands joined by &&, words without $, backslash and backquote"


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """One command. `variables`: set before it; `into`: the file its output goes to, with > or >> before it."""

    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    into: str | None = None


class NotPlain(Exception):
    """The sentence has something whose meaning only a shell would find out; the text names it and the remedy."""


def commands(sentence: str) -> list[ShellCommand]:
    """The commands in their order. Raises NotPlain."""
    root = Parser(_GRAMMAR).parse(sentence.encode()).root_node
    if root.has_error or not root.children or "\n" in sentence:
        raise NotPlain(f"{sentence}: no shell reads this as one sentence: {_PLAIN}")
    return list(_joined(root))


def _joined(node: Node) -> Iterator[ShellCommand]:
    """What stands between &&: a list of two may be the first part of another."""
    match node.type:
        case "program" | "list":
            for part in node.children:
                if part.is_named:
                    yield from _joined(part)
                elif part.type != "&&":
                    raise NotPlain(f"{_text(part)}: only && ends the step where a command fails: {_PLAIN}")
        case "redirected_statement":
            # the grammar hangs the arrow on all that is before it, a shell on the last command alone
            body, *redirects = node.children
            *before, last = _joined(body)
            yield from before
            yield replace(last, into=" ".join(_redirect(each) for each in redirects))
        case "command":
            yield _command(node)
        case _:
            raise NotPlain(f"{_text(node)}: a shell's {node.type.replace('_', ' ')} is not known here: {_PLAIN}")


def _command(node: Node) -> ShellCommand:
    variables, words = [], []
    for part in node.children:
        match part.type:
            case "variable_assignment":
                name, equals, *value = part.children
                variables.append((_text(name) + _text(equals).removesuffix("="), "".join(map(_word, value))))
            case "command_name":
                words.append(_word(part.children[0]))
            case _:
                words.append(_word(part))
    return ShellCommand(tuple(words), tuple(variables))


def _redirect(node: Node) -> str:
    match node.children:
        case [arrow, target] if node.type == "file_redirect" and arrow.type in {">", _APPEND}:
            return f"{arrow.type} {_word(target)}"
    raise NotPlain(f"{_text(node)}: only > FILE and >> FILE are known here: leave it out")


def _word(node: Node) -> str:
    """A word without its quotes."""
    text = _text(node)
    if "\\" in text:
        raise NotPlain(f"{text}: what a backslash makes of it only the shell says: {_PLAIN}")
    match node.type:
        case "word" | "number":
            return text
        case "raw_string":
            return text[1:-1]
        case "string":
            strange = [part for part in node.children if part.type not in {'"', "string_content"}]
            if not strange:
                return text[1:-1]
            node = strange[0]
        case "concatenation":
            return "".join(_word(part) for part in node.children)
    raise NotPlain(f"{_text(node)}: what stands there only the shell finds out: {_PLAIN}")


def _text(node: Node) -> str:
    return (node.text or b"").decode()
