r"""SQL on the command line.

command  ``sql``: one query, or the prompt
serve    the tables for clients of JDBC, ODBC and Spark Connect
prompt   statements and ``\`` commands, one after another
output   rows as a table, CSV, JSON or Parquet
asking   what both share: a catalog, an engine, bounds
"""
