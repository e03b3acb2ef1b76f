"""Entry points: each builds everything for one process and decides nothing.

In: options. Out: a running operator or agent, or a command's output.

    aim-gpu operator --kubeconfig KUBECONFIG
    aim-gpu size Qwen/Qwen3-8B --precision fp8
"""
