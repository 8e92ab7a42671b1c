"""Spark as all families and flows meet it.

by_value  modules whose functions travel to Spark's Python workers as they are
"""
