"""The command line ``sparkml-track``; nothing heavy is imported before a command begins.

__main__  as ``python -m sparkml_track.cli``
app     the commands together, and ``main``
guard   how a command ends: one message and an exit code
console  what a command says while it works
steps   the commands of a config file: run, its steps, features, score, retrain
runs     single sweeps: show, compare, report, export, open, delete
sweeps  the accounting of sweeps: resume, extend, reproduce, verify, sweeps
server  the dashboards and MLflow's UI, and the tracking server
dashboards  pages of the workspace: which there are, a new one, one as a file
notebook  marimo's editor
serving  a registered model over HTTP
sql     queries, and the prompt
jobs    tasks that wait for each other
pipeline  tables made from tables: run, show
alert   queries whose answers are watched
catalog  what tables there are, and lineage
models  registered models: versions, cards, approval, rollback
guide   the pages of ``guides/``
"""
