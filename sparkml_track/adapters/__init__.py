"""The one place below the families where a foreign library's errors, URIs and conventions are handled.

mlflow  its errors, URIs and REST calls
spark   what travels to its workers
"""
