"""Where versions are put to work: an endpoint in the background, and what is kept of each deployment.

kept      what was put to work where, by whom: in the home, with the version, in the audit
settings  what the process of an endpoint reads
record    which process is the endpoint of a project, which outlives the command
gate      a script: no process runs that is not recorded
process   a process is started, found again and ended, by its id and its start
health    what an endpoint says of itself
standing  what has become of it
endpoint  started, found, restarted, ended
"""
