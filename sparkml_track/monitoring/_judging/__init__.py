"""Counts to findings; no Spark here.

profile   each column in each window by itself
drift     each against the baseline, and against the window before
verdicts  where each column stands now, and since when
parts     windows in their order, and the baseline as a whole
family    many columns judged at one time
measures  distances of two binned distributions
"""
