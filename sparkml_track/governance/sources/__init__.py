"""From what data was made, as far as it can say it.

watch          what was read and written, for whoever records lineage
hidden_reads   what a data frame reads and does not name
bounded        a plan whose JSON is not much longer
made           of which columns something is made
plan           Spark's analyzed plan of a data frame, as far as columns go
columns        from which columns of which versions each column was made
"""
