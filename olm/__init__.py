"""The bundle that OLM installs the operator from, and a catalogue of it, made from the manifest without Helm.

    charts/install/install.yaml, Chart.yaml, examples -> sources
    sources -> install, webhooks, descriptors, guard -> service_version -> catalogue -> files

In: those files, and the bundles that releases keep (`released`). Out: the text of every file below `olm/`. What OLM
cannot install (the agents' DaemonSet, admission policies, the DeviceClass) is a manifest beside the bundle.

`python -m olm --out olm` writes all of them, as `make generate` does.
"""
