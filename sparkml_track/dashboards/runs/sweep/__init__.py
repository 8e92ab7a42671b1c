"""What pages show of one sweep.

drawn    which trials are drawn, where there are many
parallel its parameters side by side
figures  a sweep seen in several ways
head     how it stands
trials   its trials as a table
trial    one of them
advice   what to try next
page     what its page offers to choose, and what follows
"""
