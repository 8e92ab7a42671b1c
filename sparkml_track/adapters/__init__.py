"""The one place below the families where a foreign library's errors, URIs and conventions are handled.

cron    schedules
duckdb  its errors
mlflow  its errors, URIs, REST calls, experiments and datasets
notebooks  Jupyter's and marimo's: whether this is one, and its output
objects stores of objects, as S3
spark   what travels to its workers
"""
