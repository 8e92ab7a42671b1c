"""What goes to slots once, and what comes back as files.

work           the pickled objective, with data and code named by digest
script         what a script defines, so that slots have it under its names
worker_config  what a worker is given
data           the sweep's data as files that slots map
imports        which modules a pickle needs
pickled        one object as a pickle and the buffers of its arrays
blobs          files named by the digest of what they hold
by_value       user modules for slots that cannot read the driver's files
artifacts      files of attempts, under one folder each
"""
