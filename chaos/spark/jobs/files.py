"""A driver whose file server has a jar and a folder of classes: `files.py JAR`, with spark.repl.class.outputDir=FOLDER. It says
their URLs and waits for "stop"."""
import sys

from pyspark.sql import SparkSession

from firesteel_job import Control, result, say

control = Control()
spark = SparkSession.builder.getOrCreate()
context = spark.sparkContext._jsc.sc()
context.addJar(sys.argv[1])
say("JAR", context.listJars().apply(0))
say("CLASSES", context.getConf().get("spark.repl.class.uri"))
control.wait("stop")
result(True, f"spark={spark.version}")
spark.stop()
