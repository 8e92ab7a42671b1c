"""How far a sweep is, shown where the caller looks.

showing   which display it is
words     what all of them say
notebook  below the cell of a notebook
panel     the same as HTML
terminal  a few lines that are drawn again
lines     a line now and then: in a log, or as JSON
"""
