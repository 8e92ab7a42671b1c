"""Features that are served: published by key, carried by models, computed on demand.

store       the part of a feature store about them
publishing  the newest row of each key into an online store
function    features on demand
carrying    what a model carries of its training set
models      models that carry their look-ups
spec        look-ups and functions under a name
"""
