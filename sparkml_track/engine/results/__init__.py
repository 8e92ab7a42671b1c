"""Accepted results.

journal_records  what the journal of a sweep says, one type for each kind of record
journal_codec    how these travel: the one place that knows kinds and keys
journal_door     to and from the records of the journals package
json_fields      fields of a JSON object, with their types checked
records          accepted results as journal records and as child runs
history          what a journal says of a sweep
summary          a pure function of accepted results
pareto           the front, one point at a time
ranking          the best trials of one objective
sweep_result     what ``sweep()`` gives back
"""
