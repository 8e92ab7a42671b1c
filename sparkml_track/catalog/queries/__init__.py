"""A query from its text to its answer: pinned, answered from the cache where that is sure, recorded, saved.

ask    the way of a query
cache  answers that cannot be stale
restricted  a table as somebody sees it who may not see all of it
saved  queries in files, with their parameters
"""
