"""What files of a pipeline declare.

values        flows, targets, views, expectations
registry      where decorators put them while a file is read
decorators    tables, views and flows
expectations  rules that rows must meet
doors         how a flow reads: read, read_stream, spark
files         files, read
sql_file      the one statement of a .sql file
sql_words     the words of SQL, and the tables that it names
"""
