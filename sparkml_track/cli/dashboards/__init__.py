"""The commands of dashboards.

command  ``dashboards ls``, ``new`` and ``export``
"""
