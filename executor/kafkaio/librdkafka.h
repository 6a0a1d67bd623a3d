// What is called here of librdkafka's stable C interface, and no more. confluent-kafka-go links the library, but no other
// module can include its header: TestNative_DeclaresWhatLibrdkafkaHas compiles this file together with that one, so that
// the compiler compares them. The names are weak so that cgo's own trial link, which has no library, succeeds.
#include <stdint.h>
#include <sys/types.h>

#define WEAK __attribute__((weak))
#ifndef STRUCT // the test has its own, to set these structs beside librdkafka's
#define STRUCT(name) struct name
#endif

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_topic_conf_s rd_kafka_topic_conf_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_headers_s rd_kafka_headers_t;
typedef struct rd_kafka_op_s rd_kafka_event_t;
typedef struct rd_kafka_message_s rd_kafka_message_t;
typedef struct rd_kafka_topic_partition_s rd_kafka_topic_partition_t;
typedef struct rd_kafka_topic_partition_list_s partitions_t;
typedef struct rd_kafka_AdminOptions_s options_t;
typedef struct rd_kafka_DeleteConsumerGroupOffsets_s delete_offsets_t;
typedef struct rd_kafka_group_result_s rd_kafka_group_result_t;

STRUCT(rd_kafka_message_s) { int err; rd_kafka_topic_t *rkt; int32_t partition; void *payload; size_t len; void *key; size_t key_len; int64_t offset; void *_private; };
STRUCT(rd_kafka_topic_partition_s) { char *topic; int32_t partition; int64_t offset; void *metadata; size_t metadata_size; void *opaque; int err; void *_private; };
STRUCT(rd_kafka_topic_partition_list_s) { int cnt, size; rd_kafka_topic_partition_t *elems; };
STRUCT(rd_kafka_group_info) { struct { int32_t id; char *host; int port; } broker; char *group; int err; char *state, *protocol_type, *protocol; void *members; int member_cnt; };
STRUCT(rd_kafka_group_list) { STRUCT(rd_kafka_group_info) *groups; int group_cnt; };

enum { F_COPY = 2, F_PARTITION = 8, QUEUE_FULL = -184, TIMED_OUT = -185, OP_DELETE_OFFSETS = 8, NO_CLOSE = 8 };
enum { EVENT_DR = 1, EVENT_LOG = 4, EVENT_ERROR = 8, KNOWN_VERSION = 0x020b01ff }; // 2.11.1, whose messages native.go's msg_t is of
enum { V_END = 0, V_RKT = 2, V_PARTITION, V_VALUE, V_KEY, V_OPAQUE, V_MSGFLAGS, V_TIMESTAMP, V_HEADERS = 10 };

WEAK int rd_kafka_version(void), rd_kafka_producev(rd_kafka_t *rk, ...);
WEAK int rd_kafka_produce_batch(rd_kafka_topic_t *t, int32_t partition, int flags, rd_kafka_message_t *m, int n);
WEAK rd_kafka_headers_t *rd_kafka_headers_new(size_t n);
WEAK void rd_kafka_headers_destroy(rd_kafka_headers_t *h), rd_kafka_message_destroy(rd_kafka_message_t *m);
WEAK int rd_kafka_header_add(rd_kafka_headers_t *h, const char *name, ssize_t nlen, const void *v, ssize_t vlen);
WEAK size_t rd_kafka_header_cnt(const rd_kafka_headers_t *h);
WEAK int rd_kafka_header_get_all(const rd_kafka_headers_t *h, size_t i, const char **name, const void **v, size_t *len);
WEAK int rd_kafka_message_headers(const rd_kafka_message_t *m, rd_kafka_headers_t **h);
WEAK int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *m, unsigned *type);
WEAK ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *q, int timeout_ms, rd_kafka_message_t **m, size_t n);

WEAK rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *rk, const char *name, rd_kafka_topic_conf_t *conf);
WEAK void rd_kafka_topic_destroy(rd_kafka_topic_t *t);
WEAK const char *rd_kafka_topic_name(const rd_kafka_topic_t *t);
WEAK char *rd_kafka_memberid(const rd_kafka_t *rk);
WEAK void rd_kafka_mem_free(rd_kafka_t *rk, void *p), rd_kafka_destroy_flags(rd_kafka_t *rk, int flags);

WEAK rd_kafka_queue_t *rd_kafka_queue_new(rd_kafka_t *rk), *rd_kafka_queue_get_main(rd_kafka_t *rk), *rd_kafka_queue_get_consumer(rd_kafka_t *rk);
WEAK rd_kafka_queue_t *rd_kafka_queue_get_partition(rd_kafka_t *rk, const char *topic, int32_t partition);
WEAK void rd_kafka_queue_forward(rd_kafka_queue_t *from, rd_kafka_queue_t *to);
WEAK void rd_kafka_queue_destroy(rd_kafka_queue_t *q), rd_kafka_queue_yield(rd_kafka_queue_t *q);
WEAK void rd_kafka_queue_io_event_enable(rd_kafka_queue_t *q, int fd, const void *payload, size_t size);
WEAK int rd_kafka_set_log_queue(rd_kafka_t *rk, rd_kafka_queue_t *q);
WEAK rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *q, int timeout_ms);
WEAK int rd_kafka_event_type(const rd_kafka_event_t *e), rd_kafka_event_error(rd_kafka_event_t *e);
WEAK const char *rd_kafka_event_error_string(rd_kafka_event_t *e);
WEAK int rd_kafka_event_log(rd_kafka_event_t *e, const char **fac, const char **str, int *level);
WEAK size_t rd_kafka_event_message_array(rd_kafka_event_t *e, const rd_kafka_message_t **m, size_t n);
WEAK void rd_kafka_event_destroy(rd_kafka_event_t *e);

WEAK int rd_kafka_list_groups(rd_kafka_t *rk, const char *group, const struct rd_kafka_group_list **list, int timeout_ms);
WEAK void rd_kafka_group_list_destroy(const struct rd_kafka_group_list *list);
WEAK partitions_t *rd_kafka_topic_partition_list_new(int size);
WEAK rd_kafka_topic_partition_t *rd_kafka_topic_partition_list_add(partitions_t *l, const char *topic, int32_t partition);
WEAK void rd_kafka_topic_partition_list_destroy(partitions_t *l);
WEAK delete_offsets_t *rd_kafka_DeleteConsumerGroupOffsets_new(const char *group, const partitions_t *l);
WEAK void rd_kafka_DeleteConsumerGroupOffsets_destroy(delete_offsets_t *d), rd_kafka_DeleteConsumerGroupOffsets(rd_kafka_t *rk, delete_offsets_t **d, size_t n, const options_t *o, rd_kafka_queue_t *q);
WEAK const rd_kafka_event_t *rd_kafka_event_DeleteConsumerGroupOffsets_result(rd_kafka_event_t *e);
WEAK const rd_kafka_group_result_t **rd_kafka_DeleteConsumerGroupOffsets_result_groups(const rd_kafka_event_t *r, size_t *n);
WEAK const struct rd_kafka_error_s *rd_kafka_group_result_error(const rd_kafka_group_result_t *g);
WEAK const partitions_t *rd_kafka_group_result_partitions(const rd_kafka_group_result_t *g);
WEAK int rd_kafka_error_code(const struct rd_kafka_error_s *e);
WEAK options_t *rd_kafka_AdminOptions_new(rd_kafka_t *rk, unsigned op);
WEAK int rd_kafka_AdminOptions_set_request_timeout(options_t *o, int ms, char *why, size_t n);
WEAK void rd_kafka_AdminOptions_destroy(options_t *o);
