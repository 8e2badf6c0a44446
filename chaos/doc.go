// Package chaos and what is under it is the proof: real processes, real Spark, real faults.
//
//   - proc starts a process, reads its log as events, sends it signals, and finds what it left behind.
//   - spark finds installed Spark releases and runs jobs of them, unmodified.
//   - books reads what a cluster says of itself: GET /json/ and GET /v1/cluster.
//   - cluster runs clusterd masters and workers; original runs Spark's own Master and Workers for comparison.
//   - netns gives processes hosts of their own, on a network that can be cut.
//   - storm is ./scripts/chaos: faults under load, judged; history records what clients saw and checks it with porcupine;
//     cmd/chaos is its binary.
//   - simapp is a driver without Spark.
//   - demo is ./scripts/demo; cmd/demo is its binary.
//   - e2e holds the tests (build tag realspark).
//   - virtual holds the tests of whole quorums in virtual time, without processes.
//
// Nothing of the product imports it.
package chaos
