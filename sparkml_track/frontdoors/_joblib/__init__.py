"""What is behind ``frontdoors.joblib``.

backend     what joblib calls
dispatcher  the thread that owns an executor, and the batches that it has
batches     what executes a batch, in slots, and what came of it
arrays      large arrays of batches, as files that slots map
pickling    batches on their way to slots
"""
