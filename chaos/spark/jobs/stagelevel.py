"""Stage-level scheduling: a stage that asks for executors of its own, larger than those of the application."""
import sys

from pyspark import TaskContext
from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import SparkSession

from firesteel_job import result, say

cores, memory = int(sys.argv[1]), sys.argv[2]
spark = SparkSession.builder.getOrCreate()
sc = spark.sparkContext


def where(_):
    import os

    # The executor is this Python worker's parent's parent (daemon, then JVM); it says its number on its command line.
    pid = os.getpid()
    for _ in range(4):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().decode().split("\0")
        if "--executor-id" in words:
            value = lambda name: words[words.index(name) + 1]
            xmx = [w for w in words if w.startswith("-Xmx")]
            return value("--executor-id"), value("--cores"), value("--resourceProfileId"), xmx[-1], TaskContext.get().cpus()
        with open(f"/proc/{pid}/stat") as f:
            pid = int(f.read().rsplit(")", 1)[1].split()[1])
    return ("?",) * 5


plain = set(sc.parallelize(range(4), 2).map(where).collect())
say("DEFAULT", sorted(plain))

profile = (
    ResourceProfileBuilder()
    .require(ExecutorResourceRequests().cores(cores).memory(memory))
    .require(TaskResourceRequests().cpus(2))
    .build
)
special = set(sc.parallelize(range(4), 2).withResources(profile).map(where).collect())
say("PROFILE", sorted(special))

heap = f"-Xmx{memory[:-1]}{memory[-1].upper()}"
ok = (
    all(p == "0" and c == "1" for _, c, p, _, _ in plain)
    and all(p == str(profile.id) and c == str(cores) and x == heap and t == 2 for _, c, p, x, t in special)
    and not {e for e, *_ in plain} & {e for e, *_ in special}
)
result(ok, f"default={sorted(plain)} profile={sorted(special)} spark={spark.version}")
spark.stop()
