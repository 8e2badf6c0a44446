"""Cached blocks and shuffle files that outlive the executors that made them. They are made once; each time that it is told
"again" they are read again, and the job says whether anything had to be made anew. Told "stop", it ends."""
import time
from operator import add

from pyspark import StorageLevel
from pyspark.sql import SparkSession

from firesteel_job import Control, result, say

spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
control = Control()
executors = sc.getConf().get("spark.cores.max")
while sc._jsc.sc().getExecutorMemoryStatus().size() < int(executors) + 1:  # the driver is one of them
    time.sleep(0.1)

squared, keyed = sc.accumulator(0), sc.accumulator(0)


def square(i):
    squared.add(1)
    time.sleep(0.002)  # so that no executor makes all of it
    return i * i


def by_key(i):
    keyed.add(1)
    time.sleep(0.002)
    return i % 5, i


n = 400
cached = sc.parallelize(range(n), 8).map(square).persist(StorageLevel.MEMORY_AND_DISK)
shuffled = sc.parallelize(range(n), 8).map(by_key).reduceByKey(add, 4)
want = {k: sum(range(k, n, 5)) for k in range(5)}


def right():
    return cached.sum() == sum(i * i for i in range(n)) and dict(shuffled.collect()) == want


ok = right() and squared.value == n and keyed.value == n
say("MADE", "ok" if ok else "wrong")
while ok:
    line = control.next()
    if line != "again":
        ok = line == "stop"
        break
    ok = right()
    say("READ", "ok" if ok else "wrong", f"squared={squared.value - n} keyed={keyed.value - n}")
result(ok, f"squared={squared.value} keyed={keyed.value} of={n} spark={spark.version}")
spark.stop()
