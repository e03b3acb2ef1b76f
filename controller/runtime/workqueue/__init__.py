"""What is to be reconciled next: each item once, never twice at a time, failures with growing delays.

`WorkQueue` decides and is pure (it is given `now`); `AsyncWorkQueue` adds waiting. In: items from event handlers and
from finished reconciles. Out: items to workers.

    >>> from controller.runtime.workqueue.work_queue import WorkQueue
    >>> queue = WorkQueue()
    >>> queue.add("a", now=0.0); queue.add("a", now=0.1); queue.add("b", now=0.2)
    >>> queue.get(now=1.0), queue.get(now=1.0), queue.get(now=1.0)
    ('a', 'b', None)
    >>> queue.add("a", now=2.0)  # still being worked on: comes back when that is done
    >>> queue.get(now=2.0), queue.done("a", now=3.0), queue.get(now=3.0)
    (None, None, 'a')
"""
