"""A job whose executors never come up (its settings see to that). It must end, and not with a result."""
from pyspark.sql import SparkSession

from firesteel_job import result

spark = SparkSession.builder.getOrCreate()
result(False, f"an executor did come up: {spark.sparkContext.parallelize(range(4), 2).count()}")
