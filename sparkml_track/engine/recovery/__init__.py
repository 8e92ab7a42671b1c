"""What an earlier driver left.

resume      which sweep a call goes on with, and what is left of it
rebuild     a journal made anew from the child runs
warm_start  finished trials of an earlier sweep, for the sampler of a new one
"""
