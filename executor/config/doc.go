// Package config is an executor's config: a Kafka Connect worker's properties, so that the file that people
// have keeps working, and Sluice's own keys under `sluice.`.
//
// The one idea: a Worker is the properties as they were given, merged once, plus typed getters over Kafka's
// definitions. It is a value that never changes; copies share their maps, which nobody writes.
//
// Precedence: flag, then environment, then file, then default. An environment variable SLUICE_X names a key:
// the rest of its name in lower case, `_` for a dot, `__` for a dash, `___` for an underscore, as with Kafka
// Connect's images. SLUICE_OFFSET_FLUSH_INTERVAL_MS is offset.flush.interval.ms. Where that key is not known
// and `sluice.` before it makes one that is, that is meant: SLUICE_POOL is sluice.pool. Keys with upper-case
// letters cannot be given so.
//
// The file is a Java .properties file: UTF-8, or ISO-8859-1 where it is no valid UTF-8. `${...}` is kept as it
// is: config providers resolve it, not this package.
//
// Promises: a key that has no effect is named in a warning, never ignored in silence; values of secrets are in
// no error, no warning and no String().
package config
