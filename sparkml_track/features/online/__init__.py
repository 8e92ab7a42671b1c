"""Features that are served: published by key, carried by models, computed on demand.

publishing  the newest row of each key into an online store
"""
