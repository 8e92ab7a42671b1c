"""A task is a process of its own, in a session of its own, with a file for what it prints.

launcher    starts tasks and learns of their ends
supervisor  stands between a run and one task: ends the task when the run is gone
"""
