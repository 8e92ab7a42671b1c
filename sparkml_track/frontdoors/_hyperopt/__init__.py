"""What is behind the hyperopt door.

sweep      one call of ``fmin`` as one sweep
search     the user's algorithm as a sampler, and the documents of its trials
kept       the trials of a search with a name, on disk
labels     how points of hyperopt's expressions are recorded
objective  what calls the user's function, in slots
"""
