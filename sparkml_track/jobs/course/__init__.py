"""How far a run is: pure values, told what happened and what time it is.

states  of tasks and runs
rules   whether a task runs, from what became of those it needs
plan    the tasks of a run: what begins now, what is tried again, what is left out
"""
