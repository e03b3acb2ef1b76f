"""The product as users get it, end to end: the chart on a cluster, by Helm, from the first install to the uninstall.

In: `KUBECONFIG`, and of the image its name (`AIM_E2E_IMAGE`). Out: pytest's verdict. Nothing here knows what cluster it
is: `python -m e2e.suite` starts one with a real node when `KUBECONFIG` is not set, kind is another.

    KUBECONFIG=~/.kube/config AIM_E2E_IMAGE=localhost/aim-gpu-sharing:dev pytest e2e/suite

GPUs are simulated by the agents of the chart's mode `simulate`, and models are containers that wait.
"""
