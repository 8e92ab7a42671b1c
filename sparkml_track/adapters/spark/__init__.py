"""Spark as all families and flows meet it.

errors     what pyspark, py4j and grpc raise, as errors of this package
endpoints  servers of SQL inside the driver's JVM
connect    whether a Spark Connect server is there
functions  the functions that make columns for a data frame
stand_in   a stand-in for all of Spark
by_value   modules whose functions travel to Spark's Python workers as they are
"""
