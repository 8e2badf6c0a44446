package scheduler

// Shuffled lets the reference of the property tests walk the same ring.
var Shuffled = shuffled
