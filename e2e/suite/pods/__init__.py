"""Programs that scenarios hand to containers of our image, which have Python and nothing of this project's tests.

Each file is one program, of the standard library alone, given to `python -c`; nobody imports them.
"""
