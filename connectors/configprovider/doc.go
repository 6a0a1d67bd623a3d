// Package configprovider holds Kafka's config providers: what `${provider:path:key}` in a config is looked up in.
// FileConfigProvider reads a properties file, DirectoryConfigProvider a directory with a file a key, and
// EnvVarConfigProvider the environment of the process, as org.apache.kafka.common.config.provider has them: the same
// class names, parameters and answers.
//
// A provider answers for the keys that it has and leaves out the others: the text that refers to them stays as it is.
// Who may read what is the operator's to say, with allowed.paths and allowlist.pattern: without them, whoever may
// create a connector reads any file that the executor's user can read.
//
// Sluice's own is ttl.ms (file and directory): how long a value holds. Kafka's providers know no such parameter, and
// ignore it.
//
// Start with configprovider.go; executor/secrets resolves configs with it.
package configprovider
