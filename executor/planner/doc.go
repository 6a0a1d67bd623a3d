// Package planner runs connectors: it starts the plugin's connector, has it split the work into tasks, and hands the plan
// to the control plane.
//
// The one idea: a plan is level-triggered. Whenever the plugin may answer differently (it was started, it asked for
// a reconfiguration), TaskConfigs is called and the whole result is submitted; the control plane
// drops what changes nothing.
//
// A connector that waits for a change has no goroutine (supervisor.ErrParked) but those that its plugin begins.
//
// As in Kafka Connect a paused connector's plugin is stopped, and started when it is resumed; its task configs
// carry task.class, and for sinks the topics. Start with planner.go.
package planner
