// Package promises shows what each guard of promise 2 is for: the real control plane, agents and supervisors, with
// instances that write into the history what they do, go through a story twice. With the guard in, the checker finds
// nothing; with it out, it has to see the violation. Taking a guard out needs the build tag `faults`.
package promises
