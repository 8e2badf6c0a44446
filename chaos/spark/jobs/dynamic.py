"""Dynamic allocation up, down and up again. Prints EXECUTORS n whenever the number of executors changes."""
import os
import sys
import tempfile
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
            say(f"WAITED in vain for {n} executors, saw {seen}")
            os._exit(3)  # the tasks at the gate would hold an orderly end up


def hold(gate):
    """A task that ends when the gate opens. Driver and executors are on one machine, so a file can be the gate."""

    def task(i):
        while not os.path.exists(gate):
            time.sleep(0.05)
        return i

    return task


def phase(name):
    """As many tasks as executors may be wait at a gate, which opens when all of these are there."""
    gate = os.path.join(tempfile.mkdtemp(), "open")
    sums = []
    task = hold(gate)
    job = threading.Thread(target=lambda: sums.append(sc.parallelize(range(most), most).map(task).sum()))
    job.start()
    wait_for(most)
    say(f"PHASE {name} up")
    open(gate, "w").close()
    job.join()
    if sums != [sum(range(most))]:
        result(False, f"sums={sums}")
    wait_for(0)
    say(f"PHASE {name} down")


threading.Thread(target=watch, daemon=True).start()
wait_for(0)
phase("first")
phase("second")
result(True, f"executors up to {most} and down to 0, twice; spark={spark.version}")
spark.stop()
