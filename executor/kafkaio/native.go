package kafkaio

/*
#include <stdlib.h>
#include <string.h>
#include "librdkafka.h"

// out_t is a message to produce; its bytes are in one buffer at at: key, value, headers.
typedef struct {
	int64_t at, key_len, val_len, timestamp; // lengths -1: null; a negative timestamp: now
	uint64_t seq;
	int32_t partition, topic, headers, err;
} out_t;

// plain tells whether the batch call can carry a message: it knows neither headers nor timestamps, and
// in a transaction (librdkafka 2.11) it never sends to a partition that was named before the topic's metadata came.
static int plain(const out_t *o, int txn) { return o->headers == 0 && o->timestamp < 0 && (!txn || o->partition < 0); }

static int produce_one(rd_kafka_t *rk, rd_kafka_topic_t *rkt, const out_t *o, const char *buf) {
	const char *key = buf + o->at, *val = key + (o->key_len > 0 ? o->key_len : 0), *p = val + (o->val_len > 0 ? o->val_len : 0);
	rd_kafka_headers_t *headers = o->headers ? rd_kafka_headers_new(o->headers) : NULL;
	for (int32_t i = 0; i < o->headers; i++) {
		int64_t len[2];
		memcpy(len, p, sizeof len); p += sizeof len;
		rd_kafka_header_add(headers, p, len[0], len[1] < 0 ? NULL : p + len[0], len[1] < 0 ? 0 : len[1]);
		p += len[0] + (len[1] < 0 ? 0 : len[1]);
	}
	int err = rd_kafka_producev(rk, V_RKT, rkt, V_PARTITION, o->partition, V_MSGFLAGS, F_COPY, V_OPAQUE, (void *)(uintptr_t)o->seq,
		V_KEY, o->key_len < 0 ? NULL : key, (size_t)(o->key_len < 0 ? 0 : o->key_len),
		V_VALUE, o->val_len < 0 ? NULL : val, (size_t)(o->val_len < 0 ? 0 : o->val_len),
		V_TIMESTAMP, o->timestamp < 0 ? (int64_t)0 : o->timestamp, V_HEADERS, headers, V_END);
	if (err && headers) rd_kafka_headers_destroy(headers);
	return err;
}

// produce hands n messages over and returns how many were dealt with: fewer than n only where the queue was
// full. Messages that were refused have err set.
static int produce(rd_kafka_t *rk, rd_kafka_topic_t **rkts, out_t *o, int n, const char *buf, int txn) {
	enum { RUN = 256 };
	rd_kafka_message_t m[RUN];
	int i = 0;
	while (i < n) {
		int run = 0;
		while (i + run < n && run < RUN && plain(&o[i + run], txn) && o[i + run].topic == o[i].topic) {
			const out_t *x = &o[i + run];
			char *p = (char *)buf + x->at;
			memset(&m[run], 0, sizeof m[run]);
			m[run].partition = x->partition, m[run]._private = (void *)(uintptr_t)x->seq;
			if (x->key_len >= 0) { m[run].key = p; m[run].key_len = x->key_len; p += x->key_len; }
			if (x->val_len >= 0) { m[run].payload = p; m[run].len = x->val_len; }
			run++;
		}
		if (run == 0) {
			int err = produce_one(rk, rkts[o[i].topic], &o[i], buf);
			if (err == QUEUE_FULL) return i;
			o[i++].err = err;
			continue;
		}
		int good = rd_kafka_produce_batch(rkts[o[i].topic], -1, F_COPY | F_PARTITION, m, run);
		for (int k = 0; good < run && k < run; k++) {
			if (m[k].err == QUEUE_FULL) return i + k;
			o[i + k].err = m[k].err;
		}
		i += run;
	}
	return n;
}

// more_t is what a consumed message has beside its struct.
typedef struct {
	int64_t timestamp;
	const char *topic;
	size_t topic_len, headers; // topic_len 0: the topic of the message before
	unsigned timestamp_type;
} more_t;

// msg_t is the beginning of librdkafka's rd_kafka_msg_t (rdkafka_msg.h), which a consumed message is. Where its headers have one byte,
// that of their number, there are none; rd_kafka_message_headers allocates a reader to learn that, 0.08 us a record. No part of the
// stable interface, it is read only in the version that it was compared with.
typedef struct { rd_kafka_message_t m; void *link[2]; int flags, type; int64_t timestamp; void *parsed; int32_t status, broker, headers; } msg_t;

// fetch takes up to max messages, without waiting; *headers is how many they have in all. They are the caller's to drop.
static int fetch(rd_kafka_queue_t *q, rd_kafka_message_t **m, int max, more_t *more, size_t *headers) {
	ssize_t n = rd_kafka_consume_batch_queue(q, 0, m, max);
	int known = rd_kafka_version() == KNOWN_VERSION && sizeof(void *) == 8;
	const rd_kafka_topic_t *last = NULL;
	*headers = 0;
	for (ssize_t i = 0; i < n; i++) {
		more_t *x = &more[i];
		rd_kafka_headers_t *h;
		memset(x, 0, sizeof *x);
		x->timestamp = rd_kafka_message_timestamp(m[i], &x->timestamp_type);
		if (m[i]->rkt && m[i]->rkt != last) {
			x->topic = rd_kafka_topic_name(last = m[i]->rkt);
			x->topic_len = strlen(x->topic);
		}
		if (m[i]->err || (known && ((msg_t *)m[i])->headers == 1)) continue;
		if (rd_kafka_message_headers(m[i], &h) == 0) *headers += x->headers = rd_kafka_header_cnt(h);
	}
	return n < 0 ? 0 : n;
}

typedef struct { const char *name; const void *value; size_t name_len, value_len; } header_t; // value NULL: null

// headers lists the headers of n messages.
static void headers(rd_kafka_message_t **m, int n, const more_t *more, header_t *out) {
	rd_kafka_headers_t *h;
	for (int i = 0; i < n; i++) {
		if (more[i].headers == 0 || rd_kafka_message_headers(m[i], &h) != 0) continue;
		for (size_t j = 0; j < more[i].headers; j++, out++) {
			rd_kafka_header_get_all(h, j, &out->name, &out->value, &out->value_len);
			out->name_len = strlen(out->name);
		}
	}
}

static void drop(rd_kafka_message_t **m, int n) { for (int i = 0; i < n; i++) rd_kafka_message_destroy(m[i]); }

WEAK int mallopt(int param, int value), malloc_trim(size_t pad); // glibc's alone; -8 is M_ARENA_MAX
static void arenas(int n) { if (mallopt) mallopt(-8, n); }
static void trim(void) { if (malloc_trim) malloc_trim(0); }
*/
import "C"

import (
	"reflect"
	"unsafe"
)

// What is librdkafka's.
type (
	handle      = *C.rd_kafka_t
	queueHandle = *C.rd_kafka_queue_t
	topicHandle = *C.rd_kafka_topic_t
	eventHandle = *C.rd_kafka_event_t
	outDesc     = C.out_t
)

// rkOf is the rd_kafka_t of a *kafka.Producer or *kafka.Consumer. confluent-kafka-go has no accessor for it;
// TestNative_FindsTheHandle fails where a new version lays it out otherwise.
func rkOf(client any) handle {
	return handle(reflect.ValueOf(client).Elem().FieldByName("handle").FieldByName("rk").UnsafePointer())
}

// destroyFenced ends a *kafka.Consumer that met a fatal error, without leaving the group: its own Close would wait for
// ever, because librdkafka refuses to close such a member.
func destroyFenced(client any) {
	rk := rkOf(client)
	queueDone(queueHandle(reflect.ValueOf(client).Elem().FieldByName("handle").FieldByName("rkq").UnsafePointer()))
	C.rd_kafka_destroy_flags(rk, C.NO_CLOSE)
}

// pollerStop is the channel that ends the goroutine by which a *kafka.Producer takes its own events.
func pollerStop(client any) chan bool {
	return *(*chan bool)(unsafe.Pointer(reflect.ValueOf(client).Elem().FieldByName("pollerTermChan").UnsafeAddr())) //nolint:gosec // the field has no accessor
}

func newTopic(rk handle, name string) topicHandle {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.rd_kafka_topic_new(rk, c, nil)
}

// glibc makes an arena of memory for nearly every thread that there ever was, eight a core, and what a client that ended
// leaves free in one is not there for threads that use another: an executor grew by tens of MiB as connectors came and
// went. Two are enough for librdkafka's threads, which find most of what they need in caches of their own.
func init() { C.arenas(2) }

// trim has the C library give the system back what is free; it takes milliseconds.
func trim() { C.trim() }

func topicDone(t topicHandle)              { C.rd_kafka_topic_destroy(t) }
func queueNew(rk handle) queueHandle       { return C.rd_kafka_queue_new(rk) }
func queueMain(rk handle) queueHandle      { return C.rd_kafka_queue_get_main(rk) }
func queueConsumer(rk handle) queueHandle  { return C.rd_kafka_queue_get_consumer(rk) }
func queueDone(q queueHandle)              { C.rd_kafka_queue_destroy(q) }
func queueYield(q queueHandle)             { C.rd_kafka_queue_yield(q) }
func setLogQueue(rk handle, q queueHandle) { C.rd_kafka_set_log_queue(rk, q) }
func queueQuiet(q queueHandle)             { C.rd_kafka_queue_io_event_enable(q, -1, nil, 0) }

// queueWake has librdkafka write a byte to fd when q is no longer empty.
func queueWake(q queueHandle, fd int) {
	one := C.CString("1") // librdkafka copies it
	defer C.free(unsafe.Pointer(one))
	C.rd_kafka_queue_io_event_enable(q, C.int(fd), unsafe.Pointer(one), 1)
}

// forward has a partition's records come by another queue.
func forward(rk handle, tp TopicPartition, to queueHandle) {
	c := C.CString(tp.Topic)
	defer C.free(unsafe.Pointer(c))
	if q := C.rd_kafka_queue_get_partition(rk, c, C.int32_t(tp.Partition)); q != nil {
		C.rd_kafka_queue_forward(q, to)
		C.rd_kafka_queue_destroy(q)
	}
}

// member says whether a consumer is in its group: librdkafka forgets its member id when it asks to leave.
func member(rk handle) bool {
	id := C.rd_kafka_memberid(rk)
	if id == nil {
		return false
	}
	defer C.rd_kafka_mem_free(rk, unsafe.Pointer(id))
	return *id != 0
}

// nativeProduce hands descs over; buf has their bytes and rkts their topics.
func nativeProduce(rk handle, rkts []topicHandle, descs []outDesc, buf []byte, txn bool) int {
	t := C.int(0)
	if txn {
		t = 1
	}
	return int(C.produce(rk, unsafe.SliceData(rkts), unsafe.SliceData(descs), C.int(len(descs)), (*C.char)(unsafe.Pointer(unsafe.SliceData(buf))), t))
}

// describe is m, whose bytes begin at at, for nativeProduce.
func describe(m *Message, at int, topic int32) outDesc {
	d := outDesc{at: C.int64_t(at), seq: C.uint64_t(m.Seq), partition: C.int32_t(m.Partition), topic: C.int32_t(topic),
		timestamp: C.int64_t(m.Timestamp), key_len: -1, val_len: -1, headers: C.int32_t(len(m.Headers))} //nolint:gosec // fewer headers than that fit into a record
	if m.Key != nil {
		d.key_len = C.int64_t(len(m.Key))
	}
	if m.Value != nil {
		d.val_len = C.int64_t(len(m.Value))
	}
	return d
}

// reportRun is how many delivery reports are asked for at once.
const reportRun = 256

// reports takes delivery reports of a queue, in librdkafka's memory.
type reports struct {
	q    queueHandle
	cur  eventHandle // the event that was not used up
	msgs []*C.rd_kafka_message_t
}

func newReports(q queueHandle) reports {
	return reports{q: q, msgs: unsafe.Slice((**C.rd_kafka_message_t)(C.calloc(reportRun, C.size_t(unsafe.Sizeof(uintptr(0))))), reportRun)}
}

// take fills buf, and hands any other event to other.
func (r *reports) take(buf []Report, other func(nativeEvent)) int {
	n := 0
	for n < len(buf) {
		if r.cur == nil {
			e := C.rd_kafka_queue_poll(r.q, 0)
			if e == nil {
				break
			}
			if C.rd_kafka_event_type(e) != C.EVENT_DR {
				other(takeEvent(e))
				continue
			}
			r.cur = e
		}
		want := min(len(buf)-n, len(r.msgs))
		got := int(C.rd_kafka_event_message_array(r.cur, unsafe.SliceData(r.msgs), C.size_t(want)))
		for _, m := range r.msgs[:got] {
			buf[n] = Report{Seq: uint64(uintptr(m._private)), Partition: int32(m.partition), Offset: int64(m.offset), Err: codeError(int32(m.err))}
			if m.err != 0 {
				buf[n].Offset = -1
			}
			n++
		}
		if got < want {
			C.rd_kafka_event_destroy(r.cur)
			r.cur = nil
		}
	}
	return n
}

// done gives back what is left.
func (r *reports) done() {
	if r.cur != nil {
		C.rd_kafka_event_destroy(r.cur)
	}
	for e := C.rd_kafka_queue_poll(r.q, 0); e != nil; e = C.rd_kafka_queue_poll(r.q, 0) {
		C.rd_kafka_event_destroy(e)
	}
	C.free(unsafe.Pointer(unsafe.SliceData(r.msgs)))
	queueDone(r.q)
}

// fetched is what one fetch brought, in librdkafka's memory, and the room for it.
type fetched struct {
	q     queueHandle
	msgs  []*C.rd_kafka_message_t
	more  []C.more_t
	heads []C.header_t
	n     int
}

func newFetched(q queueHandle, limit int) fetched {
	return fetched{q: q,
		msgs: unsafe.Slice((**C.rd_kafka_message_t)(C.calloc(C.size_t(limit), C.size_t(unsafe.Sizeof(uintptr(0))))), limit),
		more: unsafe.Slice((*C.more_t)(C.calloc(C.size_t(limit), C.sizeof_more_t)), limit)}
}

// fetch takes what is there, without waiting, and returns the number of messages and that of the bytes of their keys, values and
// headers' values.
func (f *fetched) fetch() (n, bytes int) {
	var heads C.size_t
	f.n = int(C.fetch(f.q, unsafe.SliceData(f.msgs), C.int(len(f.msgs)), unsafe.SliceData(f.more), &heads))
	if heads > 0 {
		if C.size_t(len(f.heads)) < heads {
			C.free(unsafe.Pointer(unsafe.SliceData(f.heads)))
			f.heads = unsafe.Slice((*C.header_t)(C.calloc(heads, C.sizeof_header_t)), heads)
		}
		C.headers(unsafe.SliceData(f.msgs), C.int(f.n), unsafe.SliceData(f.more), unsafe.SliceData(f.heads))
		for _, h := range f.heads[:heads] {
			bytes += int(h.value_len)
		}
	}
	for _, m := range f.msgs[:f.n] {
		if m.key != nil {
			bytes += int(m.key_len)
		}
		if m.payload != nil {
			bytes += int(m.len)
		}
	}
	return f.n, bytes
}

// drop gives the messages back.
func (f *fetched) drop() { C.drop(unsafe.SliceData(f.msgs), C.int(f.n)) }

// done gives back the room, and the queue: one with records in it would hold the client's end up.
func (f *fetched) done() {
	queueDone(f.q)
	C.free(unsafe.Pointer(unsafe.SliceData(f.msgs)))
	C.free(unsafe.Pointer(unsafe.SliceData(f.more)))
	C.free(unsafe.Pointer(unsafe.SliceData(f.heads)))
}

// view is memory of librdkafka's.
func view(p unsafe.Pointer, n C.size_t) []byte { return unsafe.Slice((*byte)(p), n) }

// copyOut appends memory of librdkafka's to buf, which has room for it; nil where p is.
func copyOut(buf []byte, p unsafe.Pointer, n C.size_t) (rest, field []byte) {
	if p == nil {
		return buf, nil
	}
	at := len(buf)
	buf = append(buf, view(p, n)...)
	return buf, buf[at:len(buf):len(buf)]
}

// nativeEvent is an event of a queue, freed already.
type nativeEvent struct {
	log   bool // of librdkafka's log; otherwise, with a text, an error
	code  int32
	text  string
	level int
}

func pollEvent(q queueHandle) (nativeEvent, bool) {
	e := C.rd_kafka_queue_poll(q, 0)
	if e == nil {
		return nativeEvent{}, false
	}
	return takeEvent(e), true
}

func takeEvent(e eventHandle) (ev nativeEvent) {
	defer C.rd_kafka_event_destroy(e)
	switch C.rd_kafka_event_type(e) {
	case C.EVENT_LOG:
		var fac, str *C.char
		var level C.int
		if C.rd_kafka_event_log(e, &fac, &str, &level) == 0 {
			ev.log, ev.text, ev.level = true, C.GoString(fac)+": "+C.GoString(str), int(level)
		}
	case C.EVENT_ERROR:
		ev.code, ev.text = int32(C.rd_kafka_event_error(e)), C.GoString(C.rd_kafka_event_error_string(e))
	}
	return ev
}
