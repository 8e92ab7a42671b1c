"""What pages show of jobs.

kept      runs, read again only after one of them was written
plans     what the config files say: which task needs which, and what comes next
states    states as signs and colours
overview  the jobs, and the last runs
matrix    tasks by runs
one_run   a run: its tasks as a graph and a list, and what one of them printed
rules     expectations of pipelines
choice    what is chosen on the page
"""
