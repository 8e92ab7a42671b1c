"""Executors on Spark.

worker_launcher   workers as tasks of a classic session
job_submitters    one attempt as one job, classic and Connect
job_groups        the Spark jobs of a driver thread
application       what else runs in the application, and whether it runs
resources         what a slot may have
quiet             no stack traces for tasks that we cancel
"""
