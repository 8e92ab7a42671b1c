"""MLflow as all families meet it.

errors  foreign errors become ours; log lines stay off the terminal
uri     tracking URIs without their secrets
rest    calls to a tracking server that the client makes with many retries
"""
