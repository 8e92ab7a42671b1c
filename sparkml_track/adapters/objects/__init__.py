"""Object stores as all families meet them: S3, and what speaks as it does.

settings  which endpoint and credentials, and for how long a request is tried
client    objects put, read, listed and deleted
errors    what clients of stores raise, in one sentence
"""
