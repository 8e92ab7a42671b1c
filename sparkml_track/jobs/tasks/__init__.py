"""What a task is, from the config file to a process.

parameters  values of a run, and texts that name them
commands    the command line and the environment of a task
call        a function as a process
notebooks   what runs each form of a notebook, and where its executed copy goes
jupyter     a notebook of Jupyter as a process
preflight   what can be known to fail before anything starts
"""
