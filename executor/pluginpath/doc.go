// Package pluginpath looks at what a worker's plugin.path holds. Plugins of Sluice are compiled in, so that nothing there is
// ever loaded; but whoever moves a Kafka Connect worker wants to know which of its plugins have a counterpart here, before
// a connector is refused for its class.
//
// Plugins are found as Java's ServiceLoader finds them, by the manifests META-INF/services of jars and of folders of
// classes. Jars without one, which Kafka Connect finds with plugin.discovery=only_scan and hybrid_warn by loading every
// class, are not seen.
package pluginpath
