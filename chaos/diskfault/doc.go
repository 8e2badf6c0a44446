// Package diskfault gives a process a disk that fails on command: a FUSE file system that passes everything through to a
// directory, and that can hang, slow down, refuse with an error, be full, or lose power, that is forget all that was not
// synced (the technique of etcd's LazyFS).
//
//	disk, err := diskfault.Mount(diskfault.Config{Backing: dir, Point: point})
//	disk.Set(diskfault.Faults{Hang: diskfault.HangWrites})   // a process that writes now hangs, in state D as on a dead disk
//	disk.Clear()                                             // and goes on
//	disk.PowerLoss(seed)                                     // after the processes on it were killed
//
// The file system is served by a process of its own, our own binary started again, so main and TestMain must call
// [ServeIfAsked] first. It ends when its standard input does: whoever mounts, and however they die, nothing stays hung and
// nothing stays mounted. It is not fast and not for production.
//
// What a power loss takes, as ext4, XFS and Btrfs have it: writes and truncations of a file that was not synced since;
// creations, renames and removals in a directory that was not synced since, but for a file that was synced itself. With a
// seed other than 0, each 512-byte sector that was not synced is kept or lost by a coin, so that no order of writes is
// assumed. Linux and root only: see [Available].
package diskfault
