"""Threads of the driver.

executor  the member
scope     ties the Spark jobs of an attempt to it
"""
