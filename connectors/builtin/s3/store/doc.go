// Package store puts objects into a bucket of S3, or of what speaks its protocol.
//
// The one idea: an Upload collects what is written, in memory or, once it is spilled, in a file that has no name, and
// sends it as one object or part by part. Nothing is visible in the bucket before Finish; after an error Finish can be
// called again, and goes on where it was.
//
// Errors say what is wrong and with which key of the config, and carry a class (connectors.ClassOf): what another try may
// mend is Retriable. Secrets are in none of them.
package store
