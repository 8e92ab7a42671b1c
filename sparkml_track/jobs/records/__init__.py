"""What is kept of runs: rows of ``system.job_runs`` and ``system.task_runs``, and the lock of each job.

lock    one run of a job at a time
orders  what a run is asked for
book    rows, written as things happen
views   rows, read again: runs with their attempts and tries
"""
