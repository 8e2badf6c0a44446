"""A shuffle whose map side is run once: `served.py DIR` counts map tasks by files in DIR, says MAPPED, waits for "again",
and reads the same shuffle once more, by then from what the executors that wrote it have left."""
import os
import sys
import uuid
from operator import add

from pyspark.sql import SparkSession

from firesteel_job import Control, result, say

seen = sys.argv[1]
spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
control = Control()


def count(i, part):
    open(os.path.join(seen, uuid.uuid4().hex), "w").close()
    return part


def want():
    return {k: sum(range(k, 100, 5)) for k in range(5)}


os.makedirs(seen)
shuffled = sc.parallelize(range(100), 4).mapPartitionsWithIndex(count).map(lambda i: (i % 5, i)).reduceByKey(add, 3)
first = dict(shuffled.collect())
maps = len(os.listdir(seen))
say(f"MAPPED {maps}")
control.wait("again")
second = dict(shuffled.mapValues(lambda v: v).collect())
again = len(os.listdir(seen))
say(f"AGAIN {again}")
if first != want() or second != want() or again != maps:
    result(False, f"maps={maps} again={again} first={first} second={second}")
control.wait("stop")
result(True, f"maps={maps} again={again} spark={spark.version}")
spark.stop()
