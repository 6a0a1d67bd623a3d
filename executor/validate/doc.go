// Package validate checks connector configs as Kafka Connect's PUT /connector-plugins/{plugin}/config/validate
// does: the framework's keys (subpackage framework), the plugin's own, client overrides and the settings of
// converters, in that order and in Kafka Connect's words.
//
// The one idea: what is wrong with a config is an answer, not an error. An error of this package says that
// there is nothing to answer: no class, one that is not here, a plugin that panicked or hung.
//
// Promises: a config that asks for what this version does not have is refused by key, never run without it;
// no answer shows the value of a secret, resolved or given.
package validate
