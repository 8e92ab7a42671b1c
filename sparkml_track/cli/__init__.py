"""The command line ``sparkml-track``; nothing heavy is imported before a command begins.

app     the commands of a config file, the tracking UI, and ``main``
sweeps  commands about the accounting of sweeps: resume, verify, sweeps
"""
