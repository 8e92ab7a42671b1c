"""From accepted results to the tracking store.

publisher    child runs on a thread of their own, in batches, until the store has them
best_trials  child runs, or artifacts, of the best trials only
finish       what is left is published, the parent run ended
report       one HTML page that needs nothing else
description  what the parent run's description says
"""
