"""``mlflow`` in trials that execute in the driver's own process, which may use MLflow itself.

attempts       which attempt a thread or a run belongs to
outside        MLflow's settings of the process: put aside while trials execute, then back
_mlflow_store  the store that MLflow finds: a trial's calls are the trial's, all others go where they went before
"""
