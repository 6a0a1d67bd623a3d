// Package javadate writes and reads times by patterns that people wrote for java.text.SimpleDateFormat, in UTC and
// English, leniently, as Kafka Connect uses it.
//
// All letters can be written. Those of weeks (Y, w, W, F) cannot be read: Parser refuses them, so that a config
// finds out and not a record. Weeks are those of the United States, as a JVM in English has them. Names of zones
// (z) are read where they are UTC, UT or GMT, or an offset; Java knows hundreds. Dates before 15 October 1582 are
// of the Julian calendar, as Java's GregorianCalendar has them.
package javadate
