// Package workdir knows whose the directories of a worker's work directory are: which ones this worker or an earlier life
// of it has made, and which of them somebody uses. Nothing else may be deleted: a name like app-2026...-0001 proves
// nothing, and several workers may share one work directory.
//
// All of it is in files, below <work>/.firesteel, so it outlives the worker:
//
//	lives/<life>/lock      held (flock) for as long as that worker's process lives, whatever happens to it
//	lives/<life>/about     where it runs: boot, pid namespace, and for people the worker's id and pid
//	lives/<life>/children  the processes that it runs (package guard)
//	lives/<life>/scratch   the scratch directories that it has made elsewhere, one a line
//	dirs/<name>/made       <work>/<name> was made by one of us: its kind, device and inode
//	dirs/<name>/<life>     that life uses it; with a time in it: it did until then
//	dirs/<name>/stripped   the programs in it are gone already
//	trash/                 what is being deleted; it is moved here first, in one step
//	lock                   held shared while a directory is taken into use, alone while one is moved to the trash
//
// It decides nothing about what is to be deleted when; that is the worker's cleaner.
package workdir
