// Package config reads Apache Spark's own settings for the two standalone
// daemons, so that an operator's spark-defaults.conf, SPARK_*_OPTS and
// environment keep their meaning when Firesteel takes the place of Spark's
// Master and Worker.
//
// It loads the properties file and the -D options with Spark's order of
// strength, converts values by Spark's rules (JavaUtils, ConfigBuilder), and
// gives two typed results: [Master] and [Worker].
//
// It is not Firesteel's own command line (cmd/clusterd owns that and hands its
// values over as MasterFlags and WorkerFlags), and it knows nothing of
// applications' settings: those travel inside an application's description.
package config
