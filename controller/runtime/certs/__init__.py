"""A server's certificates: made here and kept in a Secret, or read from files; renewed, and shown without a pause.

    rotation.py -> material.py -> bundle.py -> source.py -> serving.py
    (what is due)  (does it)      (a Secret)   (tells)      (shows it)
                                  files.py ----^

In: names, a point in time, lifetimes. Out: PEM. Nothing but `bundle.py` and `files.py` waits or reads anything, except
that a TLS context needs its chain in a file for a moment (`serving.py`).

    >>> from datetime import UTC, datetime, timedelta
    >>> from controller.runtime.certs.authority import issue_leaf, make_authority
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> authority = make_authority("webhooks", now, timedelta(days=365))
    >>> issue_leaf(authority, ["aim.svc", "127.0.0.1"], now, timedelta(days=30)).not_after.isoformat()
    '2026-01-31T00:00:00+00:00'
"""
