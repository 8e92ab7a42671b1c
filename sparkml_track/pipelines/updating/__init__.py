"""Flows at work.

update    all of a pipeline, once
lock      one update of a pipeline at a time
executed  one flow, from its function to the version that it made
reader    what a flow reads, pinned
writer    rows on their way into a table, with their rules
rules     expectations, counted while rows are written
stream    streams from outside
books     what is recorded of an update
"""
