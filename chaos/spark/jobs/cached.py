"""A cached RDD: computed once, kept by the executors, read twice."""
from pyspark import StorageLevel
from pyspark.sql import SparkSession

from firesteel_job import result

spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext

computed = sc.accumulator(0)


def square(i):
    computed.add(1)
    return i * i


n = 5000
rdd = sc.parallelize(range(n), 4).map(square).persist(StorageLevel.MEMORY_ONLY)
first, total, after_two = rdd.count(), rdd.sum(), computed.value
kept = sum(i.numCachedPartitions() for i in sc._jsc.sc().getRDDStorageInfo())
again = rdd.filter(lambda v: v % 2 == 0).count()
ok = first == n and total == sum(i * i for i in range(n)) and again == n // 2 and computed.value == after_two == n and kept == 4
result(ok, f"cached count={first} sum={total} computed={computed.value} partitions={kept} spark={spark.version}")
spark.stop()
