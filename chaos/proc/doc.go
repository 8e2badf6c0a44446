// Package proc runs the processes of an experiment.
//
// Every process gets a process group and a log file of its own. A log file, not a pipe: the process may outlive us
// (demo --keep), and a daemon must not die of a closed pipe. Lines of the file are events ([Process.WaitFor]); inotify
// tells when there are new ones, so nothing sleeps.
//
// A [Run] marks all its processes by an environment variable, which their children inherit. So whatever a run started,
// however deep and in whatever process group, is found in /proc and can be shown to be gone.
//
// It knows nothing of Spark and of clusters. Linux only.
package proc
