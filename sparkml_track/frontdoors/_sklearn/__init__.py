"""What is behind the scikit-learn door.

fold        what fits and scores one candidate on one split, in slots
candidates  the user's space as a space and a sampler of a sweep
search      one ``fit`` as one sweep
outcomes    trials of the sweep as scikit-learn's outcomes of fits
identity    what an estimator is, so that a search that goes on is the same
model       the refitted estimator in the parent run
"""

from __future__ import annotations
