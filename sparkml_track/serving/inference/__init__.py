"""Inference tables: what was asked and answered, once each, whatever ends the process.

A record is on disk before its answer is sent, and leaves the disk once it is in the tables. How far a spool is in a
table, the table's own log says, in the commit that brought the rows.

records  one request with its predictions, as a line
segments files of records, read back
spool    the records of one process that are not in the tables yet
arrow    records as rows of the tables
flushing from spools into tables
"""
