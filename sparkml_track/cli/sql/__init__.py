r"""SQL on the command line.

command  ``sql``: one query, or the prompt
prompt   statements and ``\`` commands, one after another
output   rows as a table, CSV, JSON or Parquet
asking   what both share: a catalog, an engine, bounds
"""
