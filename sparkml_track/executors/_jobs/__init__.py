"""A job for each attempt.

executor   the member
answer     what a job's answer says
submitter  who starts jobs: a contract, and a member that needs no Spark
"""
