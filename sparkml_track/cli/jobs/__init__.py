"""The commands of jobs.

command  ``job run``, ``repair``, ``backfill``, ``runs`` and ``show``
scheduling  ``scheduler``
words    what they share: options, parameters, and how a run ends a command
"""
