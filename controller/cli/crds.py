"""``aim-gpu crds``: the CustomResourceDefinitions, for ``kubectl apply -f -``."""

import typer

from api.openapi import crd


def crds() -> None:
    """Print the CustomResourceDefinitions of all kinds as YAML documents."""
    typer.echo("---\n".join(crd.to_yaml(definition) for definition in crd.crds()), nl=False)
