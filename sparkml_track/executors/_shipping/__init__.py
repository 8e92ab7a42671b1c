"""What slots get before their first attempt: ``work`` packs objective, ``data`` and code, artifacts come back.

work        the objective, its data and its code as files named by digest
data        which kind of data goes how
pickled     one object as a pickle and the buffers of its arrays
blobs       files named by the digest of what they hold
by_value    code that slots cannot import
artifacts   what attempts leave for their child runs
"""
