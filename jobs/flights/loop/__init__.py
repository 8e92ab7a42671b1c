"""The loop of the flights job: two months of requests in the order of time, watched, and answered by better models.

replay  the days: requests, and labels that arrive three days late
loop    each day asked, each week watched; retrained, judged by canary
"""
