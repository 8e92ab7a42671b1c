"""A sweep as it was asked for.

arguments  as they were given
spec       as they were checked
check      every problem at once, before anything starts
roots      what shared folders may be
seeds      seeds of trials
"""
