"""Front doors: foreign interfaces served by the same engine.

hyperopt             ``SparkTrials`` and ``fmin``
_hyperopt_sweep      one call of ``fmin`` as one sweep
_hyperopt_search     the user's algorithm as a sampler, and the documents of its trials
_hyperopt_labels     how points of hyperopt's expressions are recorded
_hyperopt_objective  what calls the user's function, in slots
"""

from __future__ import annotations
