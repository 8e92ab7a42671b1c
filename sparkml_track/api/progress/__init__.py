"""How far a sweep is, shown where the caller looks.

showing   which display it is
words     what all of them say
terminal  a few lines that are drawn again
lines     a line now and then: in a log, or as JSON
"""
