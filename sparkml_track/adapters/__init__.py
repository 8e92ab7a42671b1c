"""The one place below the families where a foreign library's errors, URIs and conventions are handled.

cron    schedules
duckdb  its errors
mlflow  its errors, URIs, REST calls, experiments and datasets
objects stores of objects, as S3
spark   what travels to its workers
"""
