"""The tracking server: MLflow's own, with an endpoint that takes many child runs in one call.

app       the applications that MLflow's command starts: ``--app-name sparkml``, ``--app-name sparkml-auth``
endpoint  the endpoint
lake      the dashboards, under the same roof
assets    marimo's own scripts
gate      who gets to them
export    a page as a file
browser   what draws it
accounts  those of MLflow, for what MLflow does not guard
ports     whether one can be had
command   what starts a server: its arguments, its environment, its keys
"""
