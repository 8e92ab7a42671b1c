"""The HTTP side: what is taken, what is sent away, what is counted.

app      paths and methods
endpoint one request, from its body to its answer
reading  bodies, within bounds
metrics  counts and times in the text that Prometheus reads
"""
