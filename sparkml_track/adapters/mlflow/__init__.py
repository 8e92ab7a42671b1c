"""MLflow as all families meet it.

in_process   trials in the driver's own process
ambient      where the calling program makes MLflow write
errors       foreign errors become ours; log lines stay off the terminal
experiments  found or made, and where they keep artifacts
datasets     what a table is as a dataset
inner        a model whose loader is ours, as its own flavor reads it
links        deep links into MLflow's UI
names        of metrics, params and tags, one to one
runs         the one writer of runs, through the client
values       metrics, params and tags as they are stored
uri          tracking URIs without their secrets
rest         calls to a tracking server that the client makes with many retries
"""
