"""What pages show of monitoring: the tables that its runs append to.

chosen   which monitor, slice, measure and column there are to look at
drifted  the drift of columns by window, and of one column by run
columns  what one column was like, window by window
alarms   what has drifted, since when, how much, and what to do
quality  how good the scores were, or are thought to be
scores   how they are spread, and what came true
"""
