"""One model for each group of a data frame.

worker     what Spark's Python workers do with sorted rows: write them, and score them
staging    the rows of all groups, in files that slots map, and where each group lies in them
objective  what trains one group, in a slot
fitted     what a user's function returned, and the small sweep inside of a group
sampler    the groups as the points of a sweep, the largest first
checks     the arguments
folders    folders that a process holds while it lives
training   the groups as one sweep, and which sweep a call goes on with
table      the table of results
scoring    the models over the rows of another data frame
"""

from __future__ import annotations
