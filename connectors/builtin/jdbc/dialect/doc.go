// Package dialect is what the JDBC connectors know of databases: where a jdbc: URL points and with which driver it is
// reached, how names are quoted, which tables and columns there are, what their types are in Kafka Connect, how rows are
// written, and what an error of the database means.
//
// The one idea: a Database is a URL that was understood completely. What of a URL has no counterpart in the Go driver is
// refused by Parse, so that a config fails when it is validated and not at the first record. Everything that differs
// between databases is behind Dialect, one file each; the connectors know none by name.
//
// Errors of a database leave this package by Database.Error only, which takes out passwords and says which class of
// trouble they are. MySQL proper and SQL Server were not run against a server: what is said of them is from their
// documentation, and their tests compare texts. Start reading in database.go.
package dialect
