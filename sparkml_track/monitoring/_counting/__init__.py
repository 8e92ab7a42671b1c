"""Rows to counts, in one pass over them.

counts   the pass, and the sums that come back
rows     the rows that are counted, and the bins of their columns
labels   labels that came later, from a table of their own
windows  which window a row belongs to, and values that the user named
cuts     where the bins of a column are
worker   the pass, in Spark's Python workers
places   there, where a value goes
sums     there, what is summed
slots    which sums there are
"""
