"""One attempt in a slot.

execute    calls the objective and makes the outcome
context    what the objective gets as ``trial``
door       its line to the front door of the sweep
returned   what an objective may return, and how its failure is described
artifacts  what it left in its artifact folder, in pieces
endings    how an attempt ended that could not say so itself
payload    bytes that it is given and gives back, which nobody else reads
log        the kept head and tail of its output
run_log    what it logs through MLflow, on its way to the driver
usage      what it takes of its host
threads    how many threads a process has
"""
