"""MLflow as the tracker.

tracker      through the public client: servers, and databases without a faster lane
sqlite_lane  child runs written to the tables of a SQLite file, many in one transaction
open_sqlite  makes and checks that file, and chooses the lane
parent       what a parent run is made of
artifacts    files of a run
"""
