"""Config files: read whole, every problem reported at once with file and line.

yaml      the core schema of YAML 1.2, with the line of every value
messages  what is wrong, in sentences
sections  the sections and their defaults
reading   a file that is one section
alerts    files of alerts
jobs      what must hold between the tasks of a job
serving   files of endpoints
settings  a file as frozen settings
"""
