"""A release, from a tag: our image and our chart into a registry, both signed by digest.

In: the tag, a registry that Docker, Helm and cosign may write to (`docker login` is enough for all three), an identity
for cosign's keyless signature, which GitHub gives to a workflow. Out: what was pushed, by digest, in
`build/publish/pushed.json`, the list of the image's parts beside it (`sbom.cdx.json`), and the digests as
outputs of the workflow's step, by which provenance is attested.

    python -m e2e.publish check --tag v1.2.3                              # `make publish-check TAG=v1.2.3`
    python -m e2e.publish push --registry ghcr.io/somebody --tag v1.2.3   # `make publish REGISTRY=... TAG=...`
"""
