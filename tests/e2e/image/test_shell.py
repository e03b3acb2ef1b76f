"""What a RUN says is read as a shell reads it, or not at all."""

import subprocess

import pytest

from e2e.image.shell import NotPlain, ShellCommand, commands


@pytest.mark.parametrize(
    ("sentence", "want"),
    [
        ("a b", [ShellCommand(("a", "b"))]),
        ("a && b  c &&\td", [ShellCommand(("a",)), ShellCommand(("b", "c")), ShellCommand(("d",))]),
        ("X=1 Y='2 3' a", [ShellCommand(("a",), (("X", "1"), ("Y", "2 3")))]),
        ("X= a", [ShellCommand(("a",), (("X", ""),))]),
        ("\"pi\"p 'in'stall 7", [ShellCommand(("pip", "install", "7"))]),
        ("a -x='y z' {} + *.whl a-s", [ShellCommand(("a", "-x=y z", "{}", "+", "*.whl", "a-s"))]),
        ("a \"b && c\" '# d'", [ShellCommand(("a", "b && c", "# d"))]),
        (
            "a && b >> /c && d > e",
            [ShellCommand(("a",)), ShellCommand(("b",), into=">> /c"), ShellCommand(("d",), into="> e")],
        ),
    ],
    ids=str,
)
def test_plain_sentences_are_read(sentence: str, want: list[ShellCommand]) -> None:
    assert commands(sentence) == want


@pytest.mark.parametrize(
    ("sentence", "want"),
    [
        *(
            (f"a {word}", word)
            for word in ("`b`", "$(b)", "$B", "${B}", "$((1+1))", "$'b'", "<b", "2>b", "1>b", "&>b", "b\\ c")
        ),
        *((f'a "{word}"', word) for word in ("`b`", "$(b)", "$B", "${B}")),
        *((f"a{word} b", word.split()[0]) for word in (";", " ||", "; b &&", " &")),
        *((word, word) for word in ("a | b", "(a)", "{ a; }", "! a", "if a; then b; fi", "for a in b; do c; done")),
        *((word, word) for word in ("X=1", "export X=1", "unset X", "[ a ]", "f() { a; }")),
        *((word, "no shell reads") for word in ("", "a )", "a 'b", 'a "b', "a &&", "a\nb", "a <<E\nb\nE")),
        ("a # b", "# b"),
        ("a <(b)", "<(b)"),
        ("a >(b)", ">(b)"),
        ("a 'b\\c'", "b\\c"),
    ],
    ids=str,
)
def test_what_is_not_plain_is_refused_with_its_word(sentence: str, want: str) -> None:
    with pytest.raises(NotPlain) as refused:
        commands(sentence)
    assert want in str(refused.value)


@pytest.mark.parametrize(
    "sentence",
    [
        "printf '%s\\0' a 'b c' \"d\"'e'f 7 {} + a-s x=y /6000",
        "X=1 printf '%s\\0' [a] {a,b} ~x= !a %% a#b =c -- --d='e f' @ ^g",
    ],
)
def test_words_are_those_that_the_shell_makes_of_it(sentence: str) -> None:
    sentence = sentence.replace("'%s\\0'", "'%s,'")
    done = subprocess.run(["/bin/sh", "-c", sentence], capture_output=True, text=True, check=True, timeout=10)
    (command,) = commands(sentence)
    assert done.stdout == "".join(f"{word}," for word in command.words[2:])
