// Package systems runs connectors against the systems they are for, as real servers, with Sluice's processes killed and
// the servers taken away: `make integration`.
package systems
