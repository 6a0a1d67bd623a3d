// Package plugin knows which connectors and converters an executor has, and calls them.
//
// The one idea: everything a plugin supplies is code that may panic or hang, so nothing else in the executor
// calls a plugin's constructor, definition or connector-level method by itself. Definitions are read once,
// when the Registry is made; instances come from New*; methods go through Call.
//
// A Registry never changes after New and is safe for concurrent use.
package plugin
