// Package clusterpb is the Go code of cluster.proto, made by scripts/generate.
package clusterpb
