// What librdkafka's batch calls alone cost: no runtime, no conversion, no file. The bench builds this against the very
// librdkafka that Sluice links, and runs it in turn with both sides.
//
//	raw produce <topic> <file> key=value…     the file's lines, read before the clock starts
//	raw consume <topic> <records> key=value…  partition 0, from its beginning
//
// It prints: records, seconds, microseconds of CPU (user and system, all threads). Or says on the
// standard error what failed, and exits with 1.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rdkafka.h"

enum { BATCH = 512 };

static void fail(const char *what, const char *why) {
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static double seconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static struct rusage usage(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u;
}

static double cpu(struct rusage u) {
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

// reports takes delivery reports and returns how many there were.
static long reports(rd_kafka_queue_t *q, int wait_ms) {
	long n = 0;
	for (rd_kafka_event_t *e; (e = rd_kafka_queue_poll(q, n ? 0 : wait_ms)); rd_kafka_event_destroy(e)) {
		if (rd_kafka_event_type(e) != RD_KAFKA_EVENT_DR) continue;
		const rd_kafka_message_t *m[BATCH];
		for (size_t got; (got = rd_kafka_event_message_array(e, m, BATCH));)
			for (size_t i = 0; i < got; i++, n++)
				if (m[i]->err) fail("delivery", rd_kafka_err2str(m[i]->err));
	}
	return n;
}

static long produce(rd_kafka_t *rk, const char *topic, const char *p, size_t size) {
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_queue_t *q = rd_kafka_queue_get_main(rk);
	const char *end = p + size;
	long sent = 0, acked = 0;
	while (p < end) {
		rd_kafka_message_t m[BATCH];
		int n = 0;
		for (; n < BATCH && p < end; n++) {
			const char *nl = memchr(p, '\n', end - p);
			if (!nl) fail("file", "its last line has no end");
			memset(&m[n], 0, sizeof m[n]);
			m[n].payload = (void *)p;
			m[n].len = nl - p;
			p = nl + 1;
		}
		for (int at = 0; at < n;) {
			int took = rd_kafka_produce_batch(t, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, m + at, n - at);
			if (took < n - at && m[at + took].err != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail("produce", rd_kafka_err2str(m[at + took].err));
			at += took;
			sent += took;
			acked += reports(q, at < n ? 100 : 0);
		}
	}
	while (acked < sent) acked += reports(q, 100);
	rd_kafka_queue_destroy(q);
	rd_kafka_topic_destroy(t);
	return acked;
}

static long consume(rd_kafka_t *rk, const char *topic, long want) {
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_resp_err_t err = rd_kafka_assign(rk, list);
	if (err) fail("assign", rd_kafka_err2str(err));
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_queue_t *q = rd_kafka_queue_get_consumer(rk);
	long got = 0;
	while (got < want) {
		rd_kafka_message_t *m[BATCH];
		ssize_t n = rd_kafka_consume_batch_queue(q, 100, m, BATCH);
		for (ssize_t i = 0; i < n; i++) {
			if (m[i]->err) fail("consume", rd_kafka_err2str(m[i]->err));
			rd_kafka_message_destroy(m[i]);
		}
		if (n > 0) got += n;
	}
	rd_kafka_queue_destroy(q);
	return got;
}

int main(int argc, char **argv) {
	char why[512];
	if (argc < 4) fail("usage", "raw produce|consume topic file|records key=value...");
	int producer = !strcmp(argv[1], "produce");
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	for (int i = 4; i < argc; i++) {
		char *v = strchr(argv[i], '=');
		if (!v) fail(argv[i], "key=value would be right");
		*v++ = 0;
		if (rd_kafka_conf_set(conf, argv[i], v, why, sizeof why)) fail(argv[i], why);
	}
	if (producer) rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
	const char *map = NULL;
	struct stat st = {0};
	if (producer) {
		int fd = open(argv[3], O_RDONLY);
		if (fd < 0 || fstat(fd, &st)) fail(argv[3], "cannot be read");
		map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
		if (map == MAP_FAILED) fail(argv[3], "cannot be mapped");
	}
	rd_kafka_t *rk = rd_kafka_new(producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why, sizeof why);
	if (!rk) fail("client", why);
	double began = seconds(), before = cpu(usage());
	long n = producer ? produce(rk, argv[2], map, st.st_size) : consume(rk, argv[2], atol(argv[3]));
	printf("%ld %.6f %.0f\n", n, seconds() - began, cpu(usage()) - before);
	fflush(stdout);
	_exit(0); // what a client's end costs is no record's
}
