// Command etcdmember is etcd, as its own main starts it: the harness runs members as processes.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
