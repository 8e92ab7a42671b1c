"""Rows and columns on their way into a table, the same for each member.

arrow    Arrow tables in the types a Delta table holds
columns  columns as the Delta log writes them
expect   checks before a commit
feed     the change data feed
errors   what tables say when they refuse
moments  versions by time
arguments  what callers give
constraints  what may be set, and rows that break a rule
evolution  columns that change with a write
edits    rows changed in place by delta-rs
difference  what differs between two versions
"""
