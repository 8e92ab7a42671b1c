"""Spark SQL on a classic session: what one machine cannot hold; not confined.

engine  the member
plan    a query as Spark's parser sees it
text    the text with other names and parameters
served  views for all sessions of an application
views   temporary views of a session of the query's own
"""
