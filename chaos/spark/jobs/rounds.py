"""Shuffles, one after the other, a line for each: `rounds.py N` makes N rounds, `rounds.py until` goes on until told "stop"."""
import sys
import time
from operator import add

from pyspark.sql import SparkSession

from firesteel_job import Control, result, say

spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext
until = sys.argv[1] == "until"
control = Control() if until else None
rounds = None if until else int(sys.argv[1])


def slow(i):
    time.sleep(0.02)  # so that a round lasts a while and a fault falls into its middle
    return i % 5, i


def want(n):
    return {k: sum(range(k, n, 5)) for k in range(5)}


done, ok = 0, True
while ok and (not control.told("stop") if until else done < rounds):
    n = 60 + done % 10  # another result every round, so that an old one would be seen
    ok = dict(sc.parallelize(range(n), 4).map(slow).reduceByKey(add, 2).collect()) == want(n)
    done += 1
    say(f"ROUND {done}", "ok" if ok else "wrong")
result(ok, f"rounds={done} spark={spark.version}")
spark.stop()
