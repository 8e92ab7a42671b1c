"""The same in Unity Catalog: one way, again and again, with our side as the truth.

client   its REST interface
columns  columns in its words
ours     what it should have
plan     what to do so that it has
apply    doing it
"""
