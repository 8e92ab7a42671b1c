"""Attempts of several processes, each in a slot of its own, that run at one time.

executor   what a sweep sees: one attempt, and one end of it
ranks      the resident executor, whose attempts are the ranks of gangs
gang       one attempt: where its ranks are, how they ended, and what comes of it
gathering  values that ranks give to each other
torchrun   what the ranks find in their environment
"""
