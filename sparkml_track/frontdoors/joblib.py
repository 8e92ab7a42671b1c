"""The joblib door: ``joblib.parallel_config(backend="sparkml")`` executes any joblib code in slots.

    import joblib
    import sparkml_track.frontdoors.joblib  # registers the backend

    with joblib.parallel_config(backend="sparkml"):
        search.fit(X, y)

``n_jobs=-1``, the default here, means all slots. It records nothing and makes no runs; for a tracked search there is
``sparkml_track.sweep``. Large arrays are written once and mapped in slots, read-only by default, as under loky; what a
task itself calls in parallel runs in threads, as under loky.

Results are pickles that slots make and this process loads, which nothing else of this package does. They come over the
executor's authenticated connection, or as results of Spark jobs of this session, from processes that execute the
user's own functions: use it with slots that may run code as you.
"""

from __future__ import annotations

from joblib import register_parallel_backend

from sparkml_track.frontdoors._joblib.backend import Options, SparkmlBackend

__all__ = ["Options", "SparkmlBackend", "register"]


def register() -> None:
    """Makes "sparkml" a backend of joblib; importing this module does so. May be called again.

    What ``joblib.parallel_config(backend="sparkml", ...)`` takes beside joblib's own arguments is described in
    ``Options``.
    """
    register_parallel_backend("sparkml", SparkmlBackend)


register()
