"""Layouts: the modes of GPUs chosen together with places, for all claims that wait. Pure.

In: a `Batch` (nodes with the modes that their GPUs may take, and pending claims). Out: a `Layout` (which GPUs change,
who is placed where). `problem` is the question, `choice` answers it by `search` on a `Draft`.

    >>> from controller.placement.layouts.choice import choose
    >>> from controller.placement.layouts.problem import Batch
    >>> choose(Batch((), ()))
    Layout(changes=(), seats=(), unplaced=())
"""
