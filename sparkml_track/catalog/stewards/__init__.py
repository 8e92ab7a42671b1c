"""Those who look after things: owners, tags, comments, and who may read and change tables.

things    what a person means by a name: a table, or a version of a model
tags      owners, tags and comments, kept in the thing itself
granting  privileges given and taken, by whoever may
restricting  filters of rows and masks of columns
"""
