"""The documentation as a site: what `make docs` builds of `docs/` and of pages that stand elsewhere in the repository.

In: Markdown as GitHub shows it, with links as the repository has them. Out: `build/site`, which asks nobody else for
anything. `drawings` makes the pictures. Not installed.

::

    hooks      what MkDocs calls: each page's text    borrowed   pages that stand elsewhere
    links      a link of the repository becomes one of the site    columns    lists as Python-Markdown reads them
"""
