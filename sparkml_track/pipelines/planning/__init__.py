"""What will be built, and why.

recording  what flows read, found by running them on a stand-in
graph      the order of tables, views and flows
code       digests of what flows execute
marks      what a pipeline leaves in its tables: who made a version, from what, and how far flows are
decisions  what to do with one flow
plan       what to do with all
"""
