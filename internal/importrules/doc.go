// Package importrules holds the walls of the house: who may import whom, as a test over the whole
// dependency graph. The same rules are in .golangci.yml, for the editor; this one cannot be excluded.
package importrules
