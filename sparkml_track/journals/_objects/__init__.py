"""Journals in an object store: ``s3://bucket/home/journal/<sweep>/``.

opened  journals of a home, opened, read and listed
store   the segments: each flush is one more object
lease   taking, keeping and giving back the lease
asking  requests that are made again while the store is away
"""
