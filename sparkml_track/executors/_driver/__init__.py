"""Threads of the driver.

executor  the member
"""
