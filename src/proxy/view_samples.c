/* view_samples.c - /samples: the latest messages that were sampled, out of the workers' rings. */
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/mem.h"
#include "filter/sample.h"
#include "filter/sample_record.h"
#include "proxy/view.h"

#define LIMIT_MAX     1000u
#define LIMIT_DEFAULT 100u

enum { LIMIT, ROUTE, STREAM };
static const struct query_key keys[] = {
	[LIMIT] = {"limit", QUERY_NUMBER, NULL, 1, LIMIT_MAX, LIMIT_DEFAULT},
	[ROUTE] = {"route", QUERY_TEXT, NULL, 0, 0, 0},
	[STREAM] = {"stream", QUERY_ID, NULL, 0, 0, 0},
	{NULL, QUERY_TEXT, NULL, 0, 0, 0},
};

struct question {
	struct view_question head;
	struct buf records; /* of all workers, with their lengths */
	uint64_t matched;
	uint32_t count;
};

static bool collect(void *worker, const void *question, void *part)
{
	const struct worker *w = worker;
	const struct query *q = &((const struct question *)question)->head.query;
	struct sample_search *s = part;
	if (q->given[STREAM] && query_id_first(q->number[STREAM]) != w->index)
		return true;
	s->route = query_text(q, ROUTE);
	s->stream = q->given[STREAM] ? query_id_second(q->number[STREAM]) : 0;
	s->limit = query_number(q, LIMIT);
	return sampler_search(w->env.sampler, s);
}

static void merge(void *question, void *part)
{
	struct question *q = question;
	const struct sample_search *s = part;
	q->matched += s->matched;
	q->count += s->count;
	if (s->count)
		buf_add(&q->records, s->found.bytes + s->gone, s->found.len - s->gone);
	q->records.failed |= s->found.failed;
}

struct row {
	struct sample sample;
	size_t at; /* in q->records: the order of its ring */
};

static int later_first(const void *va, const void *vb)
{
	const struct row *a = va, *b = vb;
	if (a->sample.time_ns != b->sample.time_ns)
		return a->sample.time_ns < b->sample.time_ns ? 1 : -1;
	return a->at < b->at ? 1 : -1; /* of one turn */
}

/* All of q->records, the latest first; NULL: no memory, or there are none. */
static struct row *decode_all(struct question *q)
{
	struct row *all = q->count ? mem_alloc(q->count * sizeof(*all)) : NULL;
	size_t at = 0;
	for (uint32_t n = 0; all && n < q->count; n++) {
		const char *record = q->records.bytes + at;
		int64_t bytes = sample_record_bytes(record, q->records.len - at);
		ASSERT(bytes > 0); /* it is the rings' own */
		int err = sample_decode(record + SAMPLE_LENGTH_BYTES,
			(size_t)bytes - SAMPLE_LENGTH_BYTES, &all[n].sample);
		ASSERT(err == 0);
		all[n].at = at;
		at += (size_t)bytes;
	}
	if (all)
		qsort(all, q->count, sizeof(*all), later_first);
	return all;
}

static void answer(void *question, const struct gather *g)
{
	struct question *q = question;
	struct buf page;
	struct jsonw j;
	struct row *all = q->records.failed ? NULL : decode_all(q);
	uint32_t limit = query_number(&q->head.query, LIMIT);
	uint32_t shown = q->count < limit ? q->count : limit;
	buf_init(&page);
	view_begin(&j, &page, g, q->matched, shown);
	jsonw_array(&j, "samples");
	for (uint32_t i = 0; all && i < shown; i++)
		sample_json(&j, NULL, &all[i].sample);
	jsonw_end(&j);
	jsonw_end(&j);
	page.failed |= q->records.failed || (q->count && !all);
	mem_free(all);
	q->head.done(q->head.ctx, &page);
	buf_fini(&page);
}

static void drop_part(void *part)
{
	buf_fini(&((struct sample_search *)part)->found);
}

static void drop_question(void *question)
{
	buf_fini(&((struct question *)question)->records);
	mem_free(question);
}

static const struct gather_ops ops = {
	.part_bytes = sizeof(struct sample_search),
	.collect = collect,
	.merge = merge,
	.done = answer,
	.drop_part = drop_part,
	.drop_question = drop_question,
};

static void ask(
	void *arg, const struct query *query, void (*done)(void *ctx, struct buf *json), void *ctx)
{
	struct question *q = view_question(sizeof(*q), arg, query, done, ctx);
	if (!q)
		return;
	buf_init(&q->records);
	view_gather(&q->head, &ops);
}

const struct introspect_page view_samples = {
	.path = "/samples",
	.title = "the latest sampled messages (JSON)",
	.keys = keys,
	.ask = ask,
};
