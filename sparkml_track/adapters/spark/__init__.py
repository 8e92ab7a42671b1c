"""Spark as all families and flows meet it.

errors    what pyspark, py4j and grpc raise, as errors of this package
by_value  modules whose functions travel to Spark's Python workers as they are
"""
