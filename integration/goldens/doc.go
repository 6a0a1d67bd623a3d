// Package goldens replays recorded answers of a real Kafka Connect worker against `sluice dev` and against
// separate processes with a real Kafka, where SLUICE_GOLDENS names a directory with such recordings and their checker.
package goldens
