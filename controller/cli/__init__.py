"""The commands of a person's shell: ``aim-gpu VERB`` (and ``kubectl aim VERB``), a file a verb.

In: arguments and files. Out: a table for people or, with ``-o json``, one JSON document on stdout; messages go to
stderr, and bad input exits with 2. The functions here are plain: the program that registers them is built in
``controller.entrypoints``.

    >>> import typer
    >>> from controller.cli.rocm import rocm
    >>> app = typer.Typer()
    >>> _ = app.command()(rocm)
"""
