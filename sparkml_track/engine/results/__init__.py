"""Accepted results.

records       accepted results as journal records and as child runs
unit_results  what a trial is made of its units
attempt_history  what a journal says of attempts
unit_history  likewise, of the units of one trial
work_clock    how long drivers worked at a sweep
history       what a journal says of a sweep
summary       a pure function of accepted results
pareto        the front, one point at a time
ranking       the best trials of one objective
best_so_far   the best value as the sweep went on
curves        what some of the trials reported, step by step
plotting      the plots of a sweep, in its report and in Python
failures      why trials did not finish
costs         what the sweep took
sweep_result  what ``sweep()`` gives back
rich_result   the same as a notebook shows it
"""
