"""The main job: its steps, one after another.

preflight  what a config file names is imported and checked before anything starts
steps      prepare, features, sweep, register, score, monitor
"""
