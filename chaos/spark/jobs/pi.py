"""A reduce, a shuffle and a SQL aggregate, each with a result that is known beforehand."""
from operator import add

from pyspark.sql import SparkSession

from firesteel_job import result, say

spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext

# Pi by the midpoint rule, so that the result is the same every time.
steps = 200_000
pi = sc.parallelize(range(steps), 4).map(lambda i: 4.0 / (1.0 + ((i + 0.5) / steps) ** 2) / steps).reduce(add)
say(f"REDUCE pi is {pi:.9f}")

# A shuffle: 10,000 numbers in 100 classes, each of 100 numbers.
n, classes = 10_000, 100
groups = dict(sc.parallelize(range(n), 4).map(lambda i: (i % classes, i)).reduceByKey(add, 4).collect())
shuffled = groups == {c: sum(range(c, n, classes)) for c in range(classes)}
say(f"SHUFFLE {len(groups)} groups")

spark.range(1000).createOrReplaceTempView("numbers")
rows = spark.sql("SELECT id % 7 AS k, count(*) AS n, sum(id) AS s FROM numbers GROUP BY id % 7 ORDER BY k").collect()
aggregated = [(r.k, r.n, r.s) for r in rows] == [(k, len(range(k, 1000, 7)), sum(range(k, 1000, 7))) for k in range(7)]
say(f"SQL {len(rows)} groups")

result(abs(pi - 3.141592653589) < 1e-8 and shuffled and aggregated, f"pi={pi:.9f} shuffle={shuffled} sql={aggregated} spark={spark.version}")
spark.stop()
