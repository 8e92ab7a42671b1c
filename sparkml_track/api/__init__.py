"""What a script calls.

reproduce      a trial of a sweep of the past, executed again
sweep          ``sweep()``: arguments, home and session come together
preview        the first rows of a table or a data frame
data           versions of tables as data
session        the Spark session: the one that is there, else a local one
progress       how far a sweep is, shown where the caller looks
tracked_where  the tracking store and experiment that apply
provenance     where a run came from: code version, environment, Spark
"""
