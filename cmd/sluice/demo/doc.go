// Package demo tells the story of Sluice to a person: two pipelines, deployed over REST, carry a real
// text into Kafka and back to a file, and the copies are proved equal. It knows only the REST API: each
// call is printed as a curl line that can be repeated.
package demo
