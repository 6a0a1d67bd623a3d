// Package mirror has the config definitions of MirrorMaker's connectors, and nothing else of them: configs are
// validated as Kafka Connect does, and creating a connector is refused with a message that says so. Tools and
// the check before a take-over ask for these definitions.
package mirror
