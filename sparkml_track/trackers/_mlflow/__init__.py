"""MLflow as the tracker.

tracker      what a sweep writes, by a lane that it chooses once
lane         the contract of lanes: batches of child runs in, what was written out, errors translated
client_lane  the public client: servers, and databases without a faster lane
sqlite_lane  rows of the tables of a SQLite file, many in one transaction
sqlite_rows  those rows
open_sqlite  makes and checks that file, and chooses the lane to it
parent       what a parent run is made of
artifacts    files of a run
models       models that trials log
"""
