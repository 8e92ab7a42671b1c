"""Versions of a model in this process: loaded, asked, chosen for a request, and exchanged when an alias moves.

features  looking features up beside what a request has
loading   a version, checked, loaded and warmed
predicting from what a request says to predictions
asking    scores and problems, row by row where a model refuses a batch
routing   which version answers which request
following aliases that move
shadowing versions that score requests aside
"""
