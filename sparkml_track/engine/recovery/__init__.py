"""What an earlier driver left.

candidates  which unfinished sweep a call goes on with that names none
resume      which sweep a call goes on with, and what is left of it
rebuild     a journal made anew from the child runs
warm_start  finished trials of an earlier sweep, for the sampler of a new one
"""
