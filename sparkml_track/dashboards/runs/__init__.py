"""What pages show of sweeps and trials.

seen      a sweep at one look, by column
columns   takes records, gives that
reading   journals that are followed
overview  all sweeps of a home
sweeps    the list of them
ahead     what pages show first, made when a server starts
sweep     one of them
compare   several of them side by side
"""
