"""A job for each attempt.

executor   the member
submitter  who starts jobs: a contract, and a member that needs no Spark
"""
