"""What the journal of a sweep says.

types    one type for each kind of record
sweep_types  those of a sweep as a whole, a part of it
codec    how these travel: the one place that knows kinds and keys
outcomes  of trials and units, a part of it
run_logs  what attempts logged through MLflow
entries  to and from the records of the journals package
fields   fields of a JSON object, with their types checked
"""
