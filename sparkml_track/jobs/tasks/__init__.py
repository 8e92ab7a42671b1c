"""What a task is, from the config file to a process.

parameters  values of a run, and texts that name them
commands    the command line and the environment of a task
call        a function as a process
preflight   what can be known to fail before anything starts
"""
