"""A sweep as it was asked for.

arguments  as they were given
spec       as they were checked
check      every problem at once, before anything starts
autolog    what MLflow is to log by itself in trials
kinds      what kind of value an argument is
lifecycle  the points in a sweep's life
roots      what shared folders may be
seeds      seeds of trials
units      how many units a trial has, and what becomes of those that fail
space_warnings  what a person may have meant otherwise
"""
