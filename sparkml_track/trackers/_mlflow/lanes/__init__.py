"""Lanes: the ways to write runs into a store.

lane      the contract of lanes: batches of child runs in, what was written out, errors translated
client    the public client: servers, and databases without a faster lane
sql       rows of a database's tables, many in one transaction
sqlite    that for a SQLite file, which is checked here
empty_file  makes one
postgres  that for PostgreSQL
database  what databases have in common
batch     a batch of child runs as rows
batch_writer  writes one into the tables
tables    the tables they go to, and the schema revisions that have them
"""
