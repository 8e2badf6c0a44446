// Package cluster runs a Firesteel cluster of real processes on loopback: clusterd masters and workers, each with a
// directory, ports and logs of its own, which can be killed, frozen and started again by name.
//
// What it waits for it learns from outside, as an operator would: GET /v1/cluster, GET /json/, the processes' ends.
//
// It is not a test framework: it reports by errors, and package e2e and the demo decide what they mean.
package cluster
