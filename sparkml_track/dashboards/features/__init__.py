"""What pages show of feature tables.

known      the feature tables: keys, versions, how fresh they are
used       who uses them: training sets, models, online stores
listed     all of them, and one of them, as a page shows them
"""
