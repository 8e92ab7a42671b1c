"""A sweep of another home or store is taken over: runs first, then the journal.

flow     in what order, and what a repetition finds
source   where the sweep is
runs     runs of one store as runs for another
records  the journal as it is here
"""
