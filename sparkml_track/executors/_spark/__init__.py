"""What knows Spark.

worker_launcher  workers as Spark tasks
job_submitters   attempts as Spark jobs, on Spark Connect and on a classic session
job_groups       Spark jobs of a driver thread
application      what else runs in the application
resources        what Spark gives to a slot
"""
