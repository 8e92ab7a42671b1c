"""What pages show of sweeps and trials.

latest  the sweeps of a home, the last modified first
"""
