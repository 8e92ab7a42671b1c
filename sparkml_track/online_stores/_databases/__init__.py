"""Members that keep rows in databases.

sqlite       SQLite files
redis        Redis
postgres     PostgreSQL
connections  what threads take and give back
"""
