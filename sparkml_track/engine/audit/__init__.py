"""Does the tracking store say what the journal says?

verify      compares and recomputes
repair      publishes what is missing and ends the parent run
left_behind ends what no call goes on with
expected    what the store must have, by the journal
sweep_list  the sweeps of a home, for a person
load        a sweep of the past, whole
facts       what there is to say of it, and of several beside each other
export      its trials as a file
removal     its runs are deleted, and restored
reproduce   one of its trials is executed again
"""
