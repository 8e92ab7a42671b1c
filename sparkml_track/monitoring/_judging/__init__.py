"""Counts to findings; no Spark here.

findings  profile, drift and quality of each window
measures  distances of two binned distributions
family    many columns judged at one time
"""
