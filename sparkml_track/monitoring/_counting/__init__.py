"""Rows to counts, in one pass over them.

counts   the pass: which rows and columns, and the sums that come back
windows  which window a row belongs to, and values that the user named
cuts     where the bins of a column are
worker   that pass, in Spark's Python workers
"""
