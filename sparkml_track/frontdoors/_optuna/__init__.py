"""What the front door for Optuna is made of.

asked         what ``optimize`` was called with, checked
call          one call of ``optimize``
search        its sampler, and its pruner
ends          what the study learns of a trial that ended: results, callbacks, what stops the search
conversation  what trials ask while they run
studies       what of Optuna has no public name
dead_drivers  trials that a driver left that was killed
failures      exceptions of objectives, by name
mlflow_study  the class with the surface of MLflow's
objective     calls the user's function, in slots
slot_trial    the trial it gets there
"""

from __future__ import annotations
