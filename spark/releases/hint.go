package releases

// ProbeClass is a class of every Spark whose serialVersionUID is different in every feature release (3.4, 3.5, 4.0, 4.1,
// 4.2, 4.3; the same in all patch releases of one that we have seen), though builds are not. It is never in a message of the deploy protocol.
//
// A peer tells what its own is when asked: an ask to its endpoint-verifier whose payload has a descriptor of this class with a
// made-up serialVersionUID is answered with a failure that says "local class serialVersionUID = N". It costs one exception in the peer's log.
// A driver and its executors must agree on this class, since tasks carry it.
const ProbeClass = "org.apache.spark.TaskContext"
