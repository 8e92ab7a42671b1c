"""Jobs of a config file: tasks that wait for each other, each a process of its own, whose runs are kept and repaired.

clock      what time it is
course     how far a run is: pure values
tasks      from the config file to a process
processes  tasks as processes
records    what is kept of runs
run        one attempt at a run
start      a run from its beginning
repair     a run that did not succeed, gone on with
backfill   a run for each of many dates
shown      runs as text
scheduling  what starts runs by itself
"""
