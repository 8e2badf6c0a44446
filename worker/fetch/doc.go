// Package fetch brings a driver's jar or file to its worker, as the original's Worker does (DriverRunner.downloadUserJar,
// Utils.fetchFile), from
//
//	a path, file:          copied
//	local:                 used where it lies
//	http:, https:
//	spark://HOST:PORT/...  the file server of a running driver (jars, files, classes), which the original cannot
//	hdfs:                  HDFS, by its own protocol
//	s3a:, s3:              S3 and what is compatible with it
//
// HDFS and S3 are set up by Hadoop's own keys: spark.hadoop.* of the driver, else of the worker, else core-site.xml and
// hdfs-site.xml. Whatever goes wrong, nothing is left in the driver's folder, and the error is for the driver's user to
// read: what was tried (without secrets), what happened, what to do. A fetch ends at once with its context, and memory does
// not grow with the file.
//
// Tests run against what real servers have answered, and S3 against a server that checks signatures; TestRealHDFS (tag
// realhdfs) starts Hadoop's own NameNodes, TestDriverFileServer of chaos/e2e drivers of both releases.
//
// It does not unpack archives, resolve globs, maven coordinates or --jars: drivers do that themselves.
package fetch
