// Package snapfile is the file that clusterctl snapshot save writes: the state of a cluster at one log index, what it is of,
// and a checksum over all of it. A file that was cut short or changed is found out before anything of it is used.
//
// It is not the snapshot that a master keeps in its data directory, which belongs to its Raft log.
package snapfile
