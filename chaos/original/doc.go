// Package original runs Spark's own standalone Master and Workers of a release, unmodified, from the same cache as the
// jobs: what Firesteel is compared with, and what the jobs of package spark are checked against.
package original
