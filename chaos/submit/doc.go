// Package submit is a client of cluster mode that does not give up: it submits drivers, by REST as curl and Airflow do and
// by Spark's RPC as org.apache.spark.deploy.Client does, asks where they stand, and kills them. What it sends is written
// down here, not taken from Spark: that Spark's own clients are served is tested with Spark's own clients.
package submit
