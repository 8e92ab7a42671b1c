"""System tables: append-only Delta tables of the schema ``system``, written without Spark and in batches.

schemas  their columns
rows     what runs here, in their words
store    rows on their way into a table, and the tables
"""
