// Package web is what a master serves over HTTP: Spark's JSON documents (org.apache.spark.deploy.JsonProtocol) from the
// replicated state, on the leader and on followers alike, and GET /v1/cluster, by which clients and workers learn the
// masters of a cluster. It reads; only the forms of actions.go change something, through an Operator.
package web
