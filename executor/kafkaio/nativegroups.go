package kafkaio

/*
#include <stdlib.h>
#include "librdkafka.h"
*/
import "C"

import "unsafe"

// Two admin calls that confluent-kafka-go does not have.

// groupMembers counts the members of a group of any protocol; code is librdkafka's. Where the group was found, what other
// brokers say is no matter.
func groupMembers(rk handle, group string, timeoutMS int) (n int, code int32) {
	name := C.CString(group)
	defer C.free(unsafe.Pointer(name))
	var list *C.struct_rd_kafka_group_list
	code = int32(C.rd_kafka_list_groups(rk, name, &list, C.int(timeoutMS)))
	if list == nil {
		return 0, code
	}
	defer C.rd_kafka_group_list_destroy(list)
	for _, g := range unsafe.Slice(list.groups, list.group_cnt) {
		if C.GoString(g.group) == group {
			n, code = int(g.member_cnt), int32(g.err)
		}
	}
	return n, code
}

// deleteOffsets forgets the committed offsets of a group's partitions and returns the first error's code.
func deleteOffsets(rk handle, group string, tps []TopicPartition, ms int) int32 {
	list := C.rd_kafka_topic_partition_list_new(C.int(len(tps)))
	defer C.rd_kafka_topic_partition_list_destroy(list)
	for _, tp := range tps {
		topic := C.CString(tp.Topic)
		C.rd_kafka_topic_partition_list_add(list, topic, C.int32_t(tp.Partition))
		C.free(unsafe.Pointer(topic))
	}
	name := C.CString(group)
	defer C.free(unsafe.Pointer(name))
	del := C.rd_kafka_DeleteConsumerGroupOffsets_new(name, list)
	defer C.rd_kafka_DeleteConsumerGroupOffsets_destroy(del)
	opts := C.rd_kafka_AdminOptions_new(rk, C.OP_DELETE_OFFSETS)
	defer C.rd_kafka_AdminOptions_destroy(opts)
	C.rd_kafka_AdminOptions_set_request_timeout(opts, C.int(ms), nil, 0)
	q := queueNew(rk)
	defer queueDone(q)
	C.rd_kafka_DeleteConsumerGroupOffsets(rk, &del, 1, opts, q)
	e := C.rd_kafka_queue_poll(q, C.int(ms+1000))
	if e == nil {
		return C.TIMED_OUT
	}
	defer C.rd_kafka_event_destroy(e)
	if code := C.rd_kafka_event_error(e); code != 0 {
		return int32(code)
	}
	var count C.size_t
	groups := C.rd_kafka_DeleteConsumerGroupOffsets_result_groups(C.rd_kafka_event_DeleteConsumerGroupOffsets_result(e), &count)
	for _, g := range unsafe.Slice(groups, count) {
		if failed := C.rd_kafka_group_result_error(g); failed != nil {
			return int32(C.rd_kafka_error_code(failed))
		}
		if p := C.rd_kafka_group_result_partitions(g); p != nil {
			for _, tp := range unsafe.Slice(p.elems, p.cnt) {
				if tp.err != 0 {
					return int32(tp.err)
				}
			}
		}
	}
	return 0
}
