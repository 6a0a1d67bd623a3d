package kafkaio

/*
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

// The parts of librdkafka's stable C interface that are used here. confluent-kafka-go links the library; the
// names are weak so that cgo's own trial link, which has no library, succeeds.
#define WEAK __attribute__((weak))
typedef struct rd_kafka_message_s {
	int err;
	void *rkt;
	int32_t partition;
	void *payload;
	size_t len;
	void *key;
	size_t key_len;
	int64_t offset;
	void *private_;
} msg_t;
typedef struct {
	int vtype;
	union {
		const char *cstr;
		void *rkt;
		int i;
		int32_t i32;
		int64_t i64;
		struct { void *ptr; size_t size; } mem;
		void *headers;
		void *ptr;
		char pad[64];
	} u;
} vu_t;
typedef struct {
	char *topic;
	int32_t partition;
	int64_t offset;
	void *metadata;
	size_t metadata_size;
	void *opaque;
	int err;
	void *private_;
} part_t;
typedef struct { int cnt, size; part_t *elems; } parts_t;
enum { OP_DELETE_OFFSETS = 8, TIMED_OUT = -185 };
enum { V_RKT = 2, V_PARTITION, V_VALUE, V_KEY, V_OPAQUE, V_MSGFLAGS, V_TIMESTAMP, V_HEADER, V_HEADERS };
enum { F_COPY = 2, F_PARTITION = 8, QUEUE_FULL = -184, EVENT_DR = 1, EVENT_LOG = 4 };

typedef struct {
	struct { int32_t id; char *host; int port; } broker;
	char *group;
	int err;
	char *state, *protocol_type, *protocol;
	void *members;
	int member_cnt;
} group_t;
typedef struct { group_t *groups; int cnt; } groups_t;
WEAK int rd_kafka_list_groups(void *rk, const char *group, const groups_t **list, int timeout_ms);
WEAK void rd_kafka_group_list_destroy(const groups_t *list);
WEAK void *rd_kafka_topic_new(void *rk, const char *name, void *conf);
WEAK void rd_kafka_topic_destroy(void *rkt);
WEAK const char *rd_kafka_topic_name(const void *rkt);
WEAK int rd_kafka_produce_batch(void *rkt, int32_t partition, int flags, msg_t *m, int n);
WEAK void *rd_kafka_produceva(void *rk, const vu_t *vus, size_t n);
WEAK int rd_kafka_error_code(const void *e);
WEAK void rd_kafka_error_destroy(void *e);
WEAK void *rd_kafka_headers_new(size_t n);
WEAK void rd_kafka_headers_destroy(void *h);
WEAK int rd_kafka_header_add(void *h, const char *name, ssize_t nlen, const void *v, ssize_t vlen);
WEAK size_t rd_kafka_header_cnt(const void *h);
WEAK int rd_kafka_header_get_all(const void *h, size_t i, const char **name, const void **v, size_t *len);
WEAK int rd_kafka_message_headers(const msg_t *m, void **h);
WEAK int64_t rd_kafka_message_timestamp(const msg_t *m, int *type);
WEAK void rd_kafka_message_destroy(msg_t *m);
WEAK ssize_t rd_kafka_consume_batch_queue(void *q, int timeout_ms, msg_t **m, size_t n);
WEAK char *rd_kafka_memberid(const void *rk);
WEAK void rd_kafka_mem_free(void *rk, void *p);
WEAK void *rd_kafka_queue_new(void *rk);
WEAK void *rd_kafka_queue_get_main(void *rk);
WEAK void *rd_kafka_queue_get_consumer(void *rk);
WEAK void *rd_kafka_queue_get_partition(void *rk, const char *topic, int32_t partition);
WEAK void rd_kafka_queue_forward(void *from, void *to);
WEAK void rd_kafka_queue_destroy(void *q);
WEAK void rd_kafka_queue_yield(void *q);
WEAK void rd_kafka_queue_io_event_enable(void *q, int fd, const void *payload, size_t size);
WEAK void rd_kafka_destroy_flags(void *rk, int flags);
WEAK int rd_kafka_set_log_queue(void *rk, void *q);
WEAK void *rd_kafka_queue_poll(void *q, int timeout_ms);
WEAK int rd_kafka_event_type(const void *e);
WEAK int rd_kafka_event_error(void *e);
WEAK const char *rd_kafka_event_error_string(void *e);
WEAK int rd_kafka_event_log(void *e, const char **fac, const char **str, int *level);
WEAK size_t rd_kafka_event_message_array(void *e, const msg_t **m, size_t n);
WEAK void rd_kafka_event_destroy(void *e);
WEAK void *rd_kafka_topic_partition_list_new(int size);
WEAK void *rd_kafka_topic_partition_list_add(void *list, const char *topic, int32_t partition);
WEAK void rd_kafka_topic_partition_list_destroy(void *list);
WEAK void *rd_kafka_DeleteConsumerGroupOffsets_new(const char *group, const void *list);
WEAK void rd_kafka_DeleteConsumerGroupOffsets_destroy(void *del);
WEAK void rd_kafka_DeleteConsumerGroupOffsets(void *rk, void **del, size_t n, const void *options, void *q);
WEAK const void *rd_kafka_event_DeleteConsumerGroupOffsets_result(void *e);
WEAK const void **rd_kafka_DeleteConsumerGroupOffsets_result_groups(const void *res, size_t *n);
WEAK const void *rd_kafka_group_result_error(const void *group);
WEAK const parts_t *rd_kafka_group_result_partitions(const void *group);
WEAK void *rd_kafka_AdminOptions_new(void *rk, int op);
WEAK int rd_kafka_AdminOptions_set_request_timeout(void *options, int ms, char *why, size_t n);
WEAK void rd_kafka_AdminOptions_destroy(void *options);

// out_t is a message to produce; its bytes are in one buffer at at: key, value, headers.
typedef struct {
	int64_t at, key_len, val_len; // lengths -1: null
	int64_t timestamp;            // negative: now
	uint64_t seq;
	int32_t partition, topic, headers, err;
} out_t;

// plain tells whether the batch call can carry a message: it knows neither headers nor timestamps, and
// in a transaction (librdkafka 2.11) it never sends to a partition that was named before the topic's metadata came.
static int plain(const out_t *o, int txn) { return o->headers == 0 && o->timestamp < 0 && (!txn || o->partition < 0); }

static int produce_one(void *rk, void *rkt, const out_t *o, const char *buf) {
	const char *p = buf + o->at;
	void *hdrs = NULL;
	vu_t v[8];
	int n = 0;
	v[n].vtype = V_RKT; v[n++].u.rkt = rkt;
	v[n].vtype = V_PARTITION; v[n++].u.i32 = o->partition;
	v[n].vtype = V_MSGFLAGS; v[n++].u.i = F_COPY;
	v[n].vtype = V_OPAQUE; v[n++].u.ptr = (void *)(uintptr_t)o->seq;
	if (o->key_len >= 0) {
		v[n].vtype = V_KEY; v[n].u.mem.ptr = (void *)p; v[n++].u.mem.size = o->key_len;
		p += o->key_len;
	}
	if (o->val_len >= 0) {
		v[n].vtype = V_VALUE; v[n].u.mem.ptr = (void *)p; v[n++].u.mem.size = o->val_len;
		p += o->val_len;
	}
	if (o->timestamp >= 0) { v[n].vtype = V_TIMESTAMP; v[n++].u.i64 = o->timestamp; }
	if (o->headers > 0) {
		hdrs = rd_kafka_headers_new(o->headers);
		for (int32_t i = 0; i < o->headers; i++) {
			int64_t len[2];
			memcpy(len, p, sizeof len); p += sizeof len;
			const char *name = p; p += len[0];
			const char *val = NULL;
			if (len[1] >= 0) { val = p; p += len[1]; }
			rd_kafka_header_add(hdrs, name, len[0], val, len[1] < 0 ? 0 : len[1]);
		}
		v[n].vtype = V_HEADERS; v[n++].u.headers = hdrs;
	}
	void *e = rd_kafka_produceva(rk, v, n);
	if (!e) return 0;
	int code = rd_kafka_error_code(e);
	rd_kafka_error_destroy(e);
	if (hdrs) rd_kafka_headers_destroy(hdrs);
	return code;
}

// produce hands n messages over and returns how many were dealt with: fewer than n only where the queue was
// full. Messages that were refused have err set.
static int produce(void *rk, void **rkts, out_t *o, int n, const char *buf, int txn) {
	enum { RUN = 256 };
	msg_t m[RUN];
	int i = 0;
	while (i < n) {
		int run = 0;
		while (i + run < n && run < RUN && plain(&o[i + run], txn) && o[i + run].topic == o[i].topic) {
			const out_t *x = &o[i + run];
			char *p = (char *)buf + x->at;
			memset(&m[run], 0, sizeof m[run]);
			m[run].partition = x->partition;
			m[run].private_ = (void *)(uintptr_t)x->seq;
			if (x->key_len >= 0) { m[run].key = p; m[run].key_len = x->key_len; p += x->key_len; }
			if (x->val_len >= 0) { m[run].payload = p; m[run].len = x->val_len; }
			run++;
		}
		if (run == 0) {
			int code = produce_one(rk, rkts[o[i].topic], &o[i], buf);
			if (code == QUEUE_FULL) return i;
			o[i++].err = code;
			continue;
		}
		if (rd_kafka_produce_batch(rkts[o[i].topic], -1, F_COPY | F_PARTITION, m, run) < run) {
			for (int k = 0; k < run; k++) {
				if (m[k].err == QUEUE_FULL) return i + k;
				o[i + k].err = m[k].err;
			}
		}
		i += run;
	}
	return n;
}

typedef struct {
	uint64_t seq;
	int64_t offset;
	int32_t partition, err;
} report_t;

// reports fills out with delivery reports and returns their number. *cur is the event that was not used up.
// Any other event is handed back in *other, which ends the call.
static int reports(void *q, void **cur, report_t *out, int max, void **other) {
	const msg_t *m[256];
	int n = 0;
	while (n < max) {
		if (!*cur) {
			void *e = rd_kafka_queue_poll(q, 0);
			if (!e) break;
			if (rd_kafka_event_type(e) != EVENT_DR) { *other = e; break; }
			*cur = e;
		}
		size_t want = max - n < 256 ? max - n : 256;
		size_t got = rd_kafka_event_message_array(*cur, m, want);
		for (size_t i = 0; i < got; i++) {
			out[n].seq = (uint64_t)(uintptr_t)m[i]->private_;
			out[n].offset = m[i]->err ? -1 : m[i]->offset;
			out[n].partition = m[i]->partition;
			out[n++].err = m[i]->err;
		}
		if (got < want) { rd_kafka_event_destroy(*cur); *cur = NULL; }
	}
	return n;
}

// in_t is a consumed message. Its bytes follow those of the message before it: topic, key, value, headers.
typedef struct {
	int64_t offset, timestamp, key_len, val_len; // lengths -1: null
	int32_t partition, timestamp_type, err, headers, topic_len; // topic_len 0: the topic of the message before
} in_t;

static int64_t size_of(const msg_t *m) {
	int64_t n = (m->key ? m->key_len : 0) + (m->payload ? m->len : 0);
	void *h;
	if (!m->err && rd_kafka_message_headers(m, &h) == 0) {
		size_t cnt = rd_kafka_header_cnt(h);
		for (size_t i = 0; i < cnt; i++) {
			const char *name; const void *v; size_t len;
			rd_kafka_header_get_all(h, i, &name, &v, &len);
			n += 16 + strlen(name) + (v ? len : 0);
		}
	}
	return n;
}

static void copy_out(msg_t **m, int n, in_t *out, char *buf) {
	const void *rkt = NULL;
	for (int i = 0; i < n; i++) {
		const msg_t *x = m[i];
		in_t *o = &out[i];
		memset(o, 0, sizeof *o);
		o->offset = x->offset;
		o->partition = x->partition;
		o->err = x->err;
		o->timestamp = rd_kafka_message_timestamp(x, &o->timestamp_type);
		if (x->rkt && x->rkt != rkt) {
			const char *name = rd_kafka_topic_name(x->rkt);
			o->topic_len = strlen(name);
			memcpy(buf, name, o->topic_len); buf += o->topic_len;
			rkt = x->rkt;
		}
		o->key_len = o->val_len = -1;
		if (x->key) { o->key_len = x->key_len; memcpy(buf, x->key, x->key_len); buf += x->key_len; }
		if (x->payload) { o->val_len = x->len; memcpy(buf, x->payload, x->len); buf += x->len; }
		void *h;
		if (!x->err && rd_kafka_message_headers(x, &h) == 0) {
			size_t cnt = rd_kafka_header_cnt(h);
			o->headers = cnt;
			for (size_t j = 0; j < cnt; j++) {
				const char *name; const void *v; size_t len;
				rd_kafka_header_get_all(h, j, &name, &v, &len);
				int64_t l[2] = { strlen(name), v ? (int64_t)len : -1 };
				memcpy(buf, l, sizeof l); buf += sizeof l;
				memcpy(buf, name, l[0]); buf += l[0];
				if (v) { memcpy(buf, v, len); buf += len; }
			}
		}
		rd_kafka_message_destroy(m[i]);
	}
}

// fetch takes up to max messages, without waiting. Where their bytes fit into cap they are copied; where not
// they stay in m, *need says how many bytes they take, and copy_out has to be called.
static int fetch(void *q, msg_t **m, int max, in_t *out, char *buf, int64_t cap, int64_t *need) {
	ssize_t n = rd_kafka_consume_batch_queue(q, 0, m, max);
	*need = 0;
	if (n <= 0) return 0;
	const void *rkt = NULL;
	for (ssize_t i = 0; i < n; i++) {
		*need += size_of(m[i]);
		if (m[i]->rkt && m[i]->rkt != rkt) { rkt = m[i]->rkt; *need += strlen(rd_kafka_topic_name(rkt)); }
	}
	if (*need <= cap) { copy_out(m, n, out, buf); *need = 0; }
	return n;
}

static void drop(msg_t **m, int n) { for (int i = 0; i < n; i++) rd_kafka_message_destroy(m[i]); }
static void forward(void *rk, const char *topic, int32_t partition, void *to) {
	void *q = rd_kafka_queue_get_partition(rk, topic, partition);
	if (!q) return;
	rd_kafka_queue_forward(q, to);
	rd_kafka_queue_destroy(q);
}
// delete_offsets forgets the committed offsets of a group's partitions and returns the first error. confluent-kafka-go has no call for it.
static int delete_offsets(void *rk, const char *group, const char **topics, const int32_t *partitions, int n, int timeout_ms) {
	void *list = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++) rd_kafka_topic_partition_list_add(list, topics[i], partitions[i]);
	void *del = rd_kafka_DeleteConsumerGroupOffsets_new(group, list);
	rd_kafka_topic_partition_list_destroy(list);
	void *opts = rd_kafka_AdminOptions_new(rk, OP_DELETE_OFFSETS);
	char why[256];
	rd_kafka_AdminOptions_set_request_timeout(opts, timeout_ms, why, sizeof why);
	void *q = rd_kafka_queue_new(rk);
	rd_kafka_DeleteConsumerGroupOffsets(rk, &del, 1, opts, q);
	void *e = rd_kafka_queue_poll(q, timeout_ms + 1000);
	int code = TIMED_OUT;
	if (e) {
		code = rd_kafka_event_error(e);
		const void *res = code ? NULL : rd_kafka_event_DeleteConsumerGroupOffsets_result(e);
		size_t groups = 0;
		const void **g = res ? rd_kafka_DeleteConsumerGroupOffsets_result_groups(res, &groups) : NULL;
		for (size_t i = 0; i < groups && !code; i++) {
			const void *gerr = rd_kafka_group_result_error(g[i]);
			if (gerr) { code = rd_kafka_error_code(gerr); break; }
			const parts_t *p = rd_kafka_group_result_partitions(g[i]);
			for (int j = 0; p && j < p->cnt && !code; j++) code = p->elems[j].err;
		}
		rd_kafka_event_destroy(e);
	}
	rd_kafka_queue_destroy(q);
	rd_kafka_AdminOptions_destroy(opts);
	rd_kafka_DeleteConsumerGroupOffsets_destroy(del);
	return code;
}
static void *event(void *q) { return rd_kafka_queue_poll(q, 0); }
static int event_type(void *e) { return rd_kafka_event_type(e); }
static int event_error(void *e) { return rd_kafka_event_error(e); }
static const char *event_text(void *e) { return rd_kafka_event_error_string(e); }
static int event_log(void *e, const char **fac, const char **str, int *level) { return rd_kafka_event_log(e, fac, str, level); }
static void event_done(void *e) { rd_kafka_event_destroy(e); }
static void *topic_new(void *rk, const char *name) { return rd_kafka_topic_new(rk, name, NULL); }
static void topic_done(void *t) { rd_kafka_topic_destroy(t); }
static void *queue_new(void *rk) { return rd_kafka_queue_new(rk); }
static void *queue_main(void *rk) { return rd_kafka_queue_get_main(rk); }
static void *queue_consumer(void *rk) { return rd_kafka_queue_get_consumer(rk); }
static void queue_done(void *q) { rd_kafka_queue_destroy(q); }
static void queue_yield(void *q) { rd_kafka_queue_yield(q); }
static void queue_wake(void *q, int fd) { rd_kafka_queue_io_event_enable(q, fd, "1", 1); }
static void queue_quiet(void *q) { rd_kafka_queue_io_event_enable(q, -1, NULL, 0); }
static void destroy_now(void *rk) { rd_kafka_destroy_flags(rk, 8); } // 8: without leaving the group
static int log_queue(void *rk, void *q) { return rd_kafka_set_log_queue(rk, q); }

// group_members counts the members of a group of any protocol. Where it was found, what other brokers say is no matter.
static int group_members(void *rk, const char *group, int timeout_ms, int *members) {
	const groups_t *list = NULL;
	int err = rd_kafka_list_groups(rk, group, &list, timeout_ms);
	*members = 0;
	if (!list) return err;
	for (int i = 0; i < list->cnt; i++) {
		if (strcmp(list->groups[i].group, group)) continue;
		*members = list->groups[i].member_cnt;
		err = list->groups[i].err;
	}
	rd_kafka_group_list_destroy(list);
	return err;
}
*/
import "C"

import (
	"reflect"
	"unsafe"
)

type (
	outDesc   = C.out_t
	inDesc    = C.in_t
	rawReport = C.report_t
	// ptr is a pointer to memory of librdkafka's.
	ptr = unsafe.Pointer
)

const (
	eventLog   = 0x4
	eventError = 0x8
)

// rkOf is the rd_kafka_t of a *kafka.Producer or *kafka.Consumer. confluent-kafka-go has no accessor for it;
// TestNative_FindsTheHandle fails where a new version lays it out otherwise.
func rkOf(client any) ptr {
	return reflect.ValueOf(client).Elem().FieldByName("handle").FieldByName("rk").UnsafePointer()
}

// destroyFenced ends a *kafka.Consumer that met a fatal error: its own Close would wait for ever, because librdkafka
// refuses to close such a member.
func destroyFenced(client any) {
	rk := rkOf(client)
	queueDone(reflect.ValueOf(client).Elem().FieldByName("handle").FieldByName("rkq").UnsafePointer())
	C.destroy_now(rk)
}

// pollerStop is the channel that ends the goroutine by which a *kafka.Producer takes its own events.
func pollerStop(client any) chan bool {
	return *(*chan bool)(unsafe.Pointer(reflect.ValueOf(client).Elem().FieldByName("pollerTermChan").UnsafeAddr())) //nolint:gosec // the field has no accessor
}

func newTopic(rk ptr, name string) ptr {
	c := C.CString(name)
	defer C.free(ptr(c))
	return C.topic_new(rk, c)
}

// groupMembers counts the members of a group; code is librdkafka's.
func groupMembers(rk ptr, group string, timeoutMS int) (n int, code int32) {
	c := C.CString(group)
	defer C.free(ptr(c))
	var members C.int
	code = int32(C.group_members(rk, c, C.int(timeoutMS), &members))
	return int(members), code
}

func topicDone(t ptr)          { C.topic_done(t) }
func queueNew(rk ptr) ptr      { return C.queue_new(rk) }
func queueMain(rk ptr) ptr     { return C.queue_main(rk) }
func queueConsumer(rk ptr) ptr { return C.queue_consumer(rk) }
func queueDone(q ptr)          { C.queue_done(q) }
func queueYield(q ptr)         { C.queue_yield(q) }
func queueWake(q ptr, fd int)  { C.queue_wake(q, C.int(fd)) }
func queueQuiet(q ptr)         { C.queue_quiet(q) }
func setLogQueue(rk, q ptr)    { C.log_queue(rk, q) }

func forward(rk ptr, tp TopicPartition, to ptr) {
	c := C.CString(tp.Topic)
	defer C.free(ptr(c))
	C.forward(rk, c, C.int32_t(tp.Partition), to)
}

// nativeDeleteOffsets forgets offsets of a group and returns the first error's code.
func nativeDeleteOffsets(rk ptr, group string, tps []TopicPartition, ms int) int32 {
	g := C.CString(group)
	defer C.free(ptr(g))
	names := (**C.char)(C.calloc(C.size_t(len(tps)), C.size_t(unsafe.Sizeof(uintptr(0)))))
	defer C.free(ptr(names))
	list, partitions := unsafe.Slice(names, len(tps)), make([]C.int32_t, len(tps))
	for i, tp := range tps {
		list[i], partitions[i] = C.CString(tp.Topic), C.int32_t(tp.Partition)
		defer C.free(ptr(list[i]))
	}
	return int32(C.delete_offsets(rk, g, names, unsafe.SliceData(partitions), C.int(len(tps)), C.int(ms)))
}

// nativeProduce hands descs over; buf has their bytes and rkts their topics.
func nativeProduce(rk ptr, rkts []ptr, descs []outDesc, buf []byte, txn bool) int {
	t := C.int(0)
	if txn {
		t = 1
	}
	return int(C.produce(rk, unsafe.SliceData(rkts), unsafe.SliceData(descs), C.int(len(descs)), (*C.char)(ptr(unsafe.SliceData(buf))), t))
}

// nativeReports fills raw; other is an event that is none of delivery, or nil.
func nativeReports(q ptr, cur *ptr, raw []rawReport) (n int, other ptr) {
	c, o := *cur, ptr(nil) // copies: cgo looks through the whole struct that a pointer points into
	n = int(C.reports(q, &c, unsafe.SliceData(raw), C.int(len(raw)), &o))
	*cur = c
	return n, o
}

// messages is room for what librdkafka hands out, in its own memory.
func newMessages(n int) ptr { return C.calloc(C.size_t(n), C.size_t(unsafe.Sizeof(uintptr(0)))) }

func free(p ptr) { C.free(p) }

// member says whether a consumer is in its group: librdkafka forgets its member id when it asks to leave.
func member(rk ptr) bool {
	id := C.rd_kafka_memberid(rk)
	if id == nil {
		return false
	}
	defer C.rd_kafka_mem_free(rk, ptr(id))
	return *id != 0
}

// nativeFetch fills b's descriptors and bytes with up to limit messages, without waiting.
func nativeFetch(q, messages ptr, limit int, b *Batch) int {
	if cap(b.descs) < limit {
		b.descs = make([]inDesc, limit)
	}
	b.descs = b.descs[:limit]
	var need C.int64_t
	m := (**C.msg_t)(messages)
	b.buf = b.buf[:cap(b.buf)]
	n := int(C.fetch(q, m, C.int(limit), unsafe.SliceData(b.descs), (*C.char)(ptr(unsafe.SliceData(b.buf))), C.int64_t(len(b.buf)), &need))
	if need > 0 {
		b.buf = make([]byte, need+need/4)
		C.copy_out(m, C.int(n), unsafe.SliceData(b.descs), (*C.char)(ptr(unsafe.SliceData(b.buf))))
	}
	b.descs = b.descs[:n]
	return n
}

// nativeEvent is an event of a queue, freed already.
type nativeEvent struct {
	kind  int
	code  int32
	text  string
	level int
}

func pollEvent(q ptr) (nativeEvent, bool) {
	e := C.event(q)
	if e == nil {
		return nativeEvent{}, false
	}
	return takeEvent(e), true
}

func takeEvent(e ptr) nativeEvent {
	defer C.event_done(e)
	ev := nativeEvent{kind: int(C.event_type(e))}
	switch ev.kind {
	case eventLog:
		var fac, str *C.char
		var level C.int
		if C.event_log(e, &fac, &str, &level) == 0 {
			ev.text, ev.level = C.GoString(fac)+": "+C.GoString(str), int(level)
		}
	case eventError:
		ev.code, ev.text = int32(C.event_error(e)), C.GoString(C.event_text(e))
	}
	return ev
}

func cInt64[T ~int | ~int64](v T) C.int64_t { return C.int64_t(v) }
func cInt32[T ~int | ~int32](v T) C.int32_t { return C.int32_t(v) }
func cUint64(v uint64) C.uint64_t           { return C.uint64_t(v) }
