"""What is to be reconciled next: by priority, each item once, never twice at a time, failures with growing delays.

`WorkQueue` decides and is pure (it is given `now`); `AsyncWorkQueue` adds waiting. In: items from event handlers and
from finished reconciles. Out: items to workers.

    >>> from controller.runtime.workqueue.work_queue import WorkQueue
    >>> queue = WorkQueue()
    >>> [queue.add(item, now=0.0) for item in ("a", "b", "a")]  # whether one more is ready
    [True, True, False]
    >>> queue.add("urgent", now=0.5, priority=1)
    True
    >>> [queue.get(now=1.0) for _ in range(4)]
    ['urgent', 'a', 'b', None]
    >>> queue.add("a", now=2.0)  # still being worked on: comes back when that is done
    False
    >>> queue.get(now=2.0), queue.done("a", now=3.0), queue.get(now=3.0)
    (None, True, 'a')
"""
