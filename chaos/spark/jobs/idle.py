"""A driver that has its executors and does nothing until it is told "go"; then it computes something and ends."""
from pyspark.sql import SparkSession

from firesteel_job import Control, result, say

control = Control()
spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
sc.parallelize(range(4), 4).count()
say("IDLE", sc.applicationId)
control.wait("go")
total = sc.parallelize(range(100), 4).sum()
result(total == 4950, f"sum={total} spark={spark.version}")
spark.stop()
