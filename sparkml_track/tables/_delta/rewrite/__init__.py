"""Changes to chosen rows: only the files that hold them are rewritten, and one commit swaps them.

changing   delete and update as Spark jobs
merging    merge as Spark jobs
matching   rows of a merge: which rule takes which
feeding    what a change did to each row, for a change feed
compacting  small files made into larger ones
landing    the commit, and what becomes of it when other writers come first
pruning    which files may hold what a condition asks for
candidates  files as frames, with the name of the file in each row
"""
