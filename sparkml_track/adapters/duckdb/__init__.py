"""DuckDB.

errors  what it raises, as errors of this package
"""
