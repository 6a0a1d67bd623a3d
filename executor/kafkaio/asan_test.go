//go:build asan

package kafkaio_test

func init() { underASan = true }
