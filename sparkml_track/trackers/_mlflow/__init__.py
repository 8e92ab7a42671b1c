"""MLflow as the tracker.

tracker    what a sweep writes, by a lane
opening    chooses the lane to a store: the fastest one there is
lanes      the ways to write runs: the public client, SQL
bulk       the way through the bulk endpoint of a server
parent     what a parent run is made of
reading    runs read back whole
artifacts  files of a run
models     models that trials log
"""
