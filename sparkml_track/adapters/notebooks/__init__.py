"""Notebooks: whether this process is one, and what is shown in it while a cell runs.

front_end    where a person sits, if anywhere
output       HTML below a cell, changed while the cell runs
stop_button  a link that asks for the end of what a cell does
"""
