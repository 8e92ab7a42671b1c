"""What knows Spark.

fleets           the workers of an application: those that stayed, or new ones
worker_launcher  workers as Spark tasks
job_submitters   attempts as Spark jobs, on Spark Connect and on a classic session
job_groups       Spark jobs of a driver thread
application      what else runs in the application
quiet            no stack traces for tasks that we cancel
resources        what Spark gives to a slot
"""
