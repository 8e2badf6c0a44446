// Package submission is the server's side of Spark's REST submission protocol (org.apache.spark.deploy.rest): paths,
// requests, answers, status codes and quirks as Spark 4.x serves them on port 6066. What a request makes happen is the
// business of a Backend; the package keeps no state and knows nothing of masters.
//
// Package contract holds what Spark's own Master of 3.5.9 and 4.3.0 answered to a table of requests; the tests hold ours
// against it. Two things differ on purpose: where the original answers with a Java stack trace, we give the exception's
// first line and the reason, and what would oversell a worker (fewer than zero cores) is refused.
package submission
