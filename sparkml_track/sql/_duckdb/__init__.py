"""DuckDB: in this process, confined to the files of the views.

engine   the member
opened   a connection that is confined to the files of views
tree     a query as DuckDB's parser sees it: which tables it names, and the same query over views
columns  which columns an answer's columns need
views    views over files and rows
answers  rows as Arrow
"""
