"""What pages show of serving: inference tables, living endpoints, canaries.

found    which inference tables there are, and which part of time is looked at
counted  one pass over what was recorded
traffic  requests, latency and errors over time, and by version
living   endpoints that were put to work, and what they answer now
rivals   which versions, labels and columns a canary is judged by
canary   how a challenger stands beside the champion, look by look
"""
