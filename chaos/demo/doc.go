// Package demo is the main job of Firesteel, to look at: a cluster of three masters and two workers, jobs of two Spark
// releases, and a leader that is killed in the middle of one. It prints what happens and when, and says PASS or FAIL.
package demo
