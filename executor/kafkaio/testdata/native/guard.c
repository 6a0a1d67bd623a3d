// Sets librdkafka.h beside librdkafka's own header. A function that is declared otherwise is a conflict of types by itself;
// structs and constants are compared one by one.
#include <stddef.h>
#include <rdkafka.h>
#define STRUCT(name) struct our_##name
#include "librdkafka.h"

#define SIZE(s) _Static_assert(sizeof(struct s) == sizeof(struct our_##s), "the size of " #s)
#define FIELD(s, f) _Static_assert(offsetof(struct s, f) == offsetof(struct our_##s, f) && sizeof(((struct s *)0)->f) == sizeof(((struct our_##s *)0)->f), #s "." #f)
#define VALUE(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #ours " is " #theirs)

SIZE(rd_kafka_message_s);
FIELD(rd_kafka_message_s, err);
FIELD(rd_kafka_message_s, rkt);
FIELD(rd_kafka_message_s, partition);
FIELD(rd_kafka_message_s, payload);
FIELD(rd_kafka_message_s, len);
FIELD(rd_kafka_message_s, key);
FIELD(rd_kafka_message_s, key_len);
FIELD(rd_kafka_message_s, offset);
FIELD(rd_kafka_message_s, _private);
SIZE(rd_kafka_topic_partition_s);
FIELD(rd_kafka_topic_partition_s, topic);
FIELD(rd_kafka_topic_partition_s, partition);
FIELD(rd_kafka_topic_partition_s, err);
SIZE(rd_kafka_topic_partition_list_s);
FIELD(rd_kafka_topic_partition_list_s, cnt);
FIELD(rd_kafka_topic_partition_list_s, elems);
SIZE(rd_kafka_group_info);
FIELD(rd_kafka_group_info, group);
FIELD(rd_kafka_group_info, err);
FIELD(rd_kafka_group_info, member_cnt);
SIZE(rd_kafka_group_list);
FIELD(rd_kafka_group_list, groups);
FIELD(rd_kafka_group_list, group_cnt);

VALUE(KNOWN_VERSION, RD_KAFKA_VERSION);
VALUE(F_COPY, RD_KAFKA_MSG_F_COPY);
VALUE(F_PARTITION, RD_KAFKA_MSG_F_PARTITION);
VALUE(QUEUE_FULL, RD_KAFKA_RESP_ERR__QUEUE_FULL);
VALUE(TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT);
VALUE(EVENT_DR, RD_KAFKA_EVENT_DR);
VALUE(EVENT_LOG, RD_KAFKA_EVENT_LOG);
VALUE(EVENT_ERROR, RD_KAFKA_EVENT_ERROR);
VALUE(V_END, RD_KAFKA_VTYPE_END);
VALUE(V_RKT, RD_KAFKA_VTYPE_RKT);
VALUE(V_PARTITION, RD_KAFKA_VTYPE_PARTITION);
VALUE(V_VALUE, RD_KAFKA_VTYPE_VALUE);
VALUE(V_KEY, RD_KAFKA_VTYPE_KEY);
VALUE(V_OPAQUE, RD_KAFKA_VTYPE_OPAQUE);
VALUE(V_MSGFLAGS, RD_KAFKA_VTYPE_MSGFLAGS);
VALUE(V_TIMESTAMP, RD_KAFKA_VTYPE_TIMESTAMP);
VALUE(V_HEADERS, RD_KAFKA_VTYPE_HEADERS);
VALUE(OP_DELETE_OFFSETS, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS);
VALUE(NO_CLOSE, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
