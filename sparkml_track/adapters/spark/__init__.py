"""Where Spark's conventions are handled, once for all.

errors   what pyspark, py4j and grpc raise, as errors of this package
"""
