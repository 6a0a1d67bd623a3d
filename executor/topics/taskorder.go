package topics

import (
	"cmp"
	"slices"
)

// TaskProperties puts a task's config into the order in which Kafka Connect writes it. There it is a copy of a Java
// HashMap, whose order within a bucket is that of insertion: first what the connector's config has, in its order, then
// what the plugin added, then task.class (Worker.connectorTaskConfigs, AbstractHerder.reverseTransform).
func TaskProperties(connector, task []Property) []Property {
	place := make(map[string]int, len(connector))
	for i, p := range connector {
		place[p.Key] = i
	}
	order := func(key string) int {
		if i, ok := place[key]; ok {
			return i
		}
		if key == "task.class" {
			return len(connector) + 1
		}
		return len(connector)
	}
	out := slices.Clone(task)
	slices.SortFunc(out, func(a, b Property) int {
		return cmp.Or(cmp.Compare(order(a.Key), order(b.Key)), cmp.Compare(a.Key, b.Key))
	})
	capacity := copyCapacity(len(out))
	slices.SortStableFunc(out, func(a, b Property) int { return cmp.Compare(bucket(a.Key, capacity), bucket(b.Key, capacity)) })
	return out
}

// copyCapacity is how many buckets Java gives the copy of a HashMap of n entries: the next power of two for the load
// factor of 0.75, and (until Java 18) for one more where that comes out even.
func copyCapacity(n int) int {
	capacity := 1
	for need := n*4/3 + 1; capacity < need; {
		capacity *= 2
	}
	return capacity
}

func bucket(key string, capacity int) uint32 {
	h := uint32(JavaHash(key))
	return (h ^ h>>16) & uint32(capacity-1)
}
