"""The loop and what it connects.

loop            asks, submits, takes events
ports           what the loop connects
unit_scheduler  which unit is executed next, and those that have not ended
doorkeeper      what a front door says to attempts, and hears from them
asker           the user's own points first, then the sampler
sampler_thread  a slow sampler on a thread of its own
running_trial   trials that have not ended, and their units
unit_files      artifacts of a trial with several units
pruning         what the pruner gets of running trials
store_watch     what the tracking store shows of them, and what keeps it from that
journal_writer  the journal as the loop writes it, and what may leave once it is durable
tally           counts, the best, and whether that ends the sweep
stopping        when results say that the sweep may end
slot_watch      what a person learns when there are no slots
failure_log     why trials fail, logged once for each kind
progress        how far a sweep is
"""
