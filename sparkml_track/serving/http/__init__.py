"""The HTTP side: what is taken, what is sent away, what is counted.

app      paths and methods
endpoint one request, from its body to its answer
together requests that wait are answered together
working  the part of it that threads do
reading  bodies, within bounds
metrics  counts and times in the text that Prometheus reads
"""
