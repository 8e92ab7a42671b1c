"""Does the tracking store say what the journal says?

verify      compares and recomputes
repair      publishes what is missing and ends the parent run
expected    what the store must have, by the journal
sweep_list  the sweeps of a home, for a person
"""
