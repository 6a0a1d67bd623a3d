// Package compat holds Sluice against the real Kafka Connect 4.3.1. Build tag integration; make compat.
package compat
