"""A sweep that monitoring begins.

standing  what the last monitoring run said, as it is kept
decision  whether that begins a sweep, and why
record    the last one that was begun, which outlives the process
again     the steps, warm-started and under the gate
notified  who is notified of a state that has changed
"""
