"""What starts runs by itself: schedules, tables, files; one process in the foreground.

due        which scheduled times are run, and which not
memory     what was seen and done, in a file
seen       versions of tables, and files that are there
children   runs as processes
scheduler  one look after the other
printed    the same for systemd and cron
"""
