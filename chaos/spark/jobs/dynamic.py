"""Dynamic allocation up, down and up again. Prints EXECUTORS n whenever the number of executors changes."""
import sys
import threading
import time

from pyspark.sql import SparkSession

from firesteel_job import result, say

most = int(sys.argv[1])
spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext

seen = []
changed = threading.Condition()


def watch():
    tracker = sc._jsc.sc().statusTracker()
    while True:
        n = len(tracker.getExecutorInfos()) - 1  # the driver is in the list
        with changed:
            if not seen or seen[-1] != n:
                seen.append(n)
                say(f"EXECUTORS {n}")
                changed.notify_all()
        time.sleep(0.1)  # Spark has no event of this for Python


def wait_for(n):
    with changed:
        if not changed.wait_for(lambda: seen and seen[-1] == n, timeout=90):
            result(False, f"waited for {n} executors, saw {seen}")


def slow(i):
    time.sleep(1.0)
    return i


threading.Thread(target=watch, daemon=True).start()
wait_for(0)
for phase in ("first", "second"):
    # Longer than it takes to start an executor: with one core each, the last tasks need the last executor.
    total = sc.parallelize(range(12 * most), 12 * most).map(slow).sum()
    say(f"PHASE {phase} up to {max(seen)}")
    ok = total == sum(range(12 * most)) and max(seen) == most
    if not ok:
        result(False, f"sum={total} executors={seen}")
    wait_for(0)
    say(f"PHASE {phase} down")
    seen[:] = [0]
result(True, f"executors up to {most} and down to 0, twice; spark={spark.version}")
spark.stop()
