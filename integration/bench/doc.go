// Package bench runs Kafka Connect and Sluice side by side: a real broker, a real worker as published, Sluice's own
// processes, the same jobs, in rounds that take turns; and writes what it measured to docs/benchmarks. `make bench`.
//
// The one idea: nobody's own meter is believed. Records are counted where they arrive (the ends of a topic, the lines
// of a file, the rows of a table) and their contents are hashed; CPU time and peak memory are what the system says of the processes. Rounds
// alternate (A B, B A, …), so that neighbouring rounds of one side, A beside A, say how much of A beside B is noise.
//
// Start reading at job.go (what is run), then bench_test.go (how), result.go and render.go (what comes of it).
package bench
