"""A Python UDF in SQL: every row goes through a Python worker beside the executor."""
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
from pyspark.sql.types import LongType

from firesteel_job import result

spark = SparkSession.builder.getOrCreate()


@udf(LongType())
def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def here(n):
    return 0 if n == 1 else 1 + here(n // 2 if n % 2 == 0 else 3 * n + 1)


got = {r.id: r.steps for r in spark.range(1, 301).repartition(4).select("id", collatz("id").alias("steps")).collect()}
want = {n: here(n) for n in range(1, 301)}
result(got == want, f"udf rows={len(got)} longest={max(got.values())} spark={spark.version}")
spark.stop()
