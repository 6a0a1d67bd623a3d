// Package goldens replays recorded answers of a real Kafka Connect worker against `sluice dev`, where SLUICE_GOLDENS names
// a directory with such recordings and their checker.
package goldens
