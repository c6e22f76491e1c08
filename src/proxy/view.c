#include "proxy/view.h"
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"

void view_begin(
	struct jsonw *j, struct buf *out, const struct gather *g, uint64_t total, uint64_t shown)
{
	char now[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ns(), now);
	jsonw_begin(j, out);
	jsonw_object(j, NULL);
	jsonw_str(j, "time", now);
	jsonw_u64(j, "workers", gather_workers(g));
	jsonw_array(j, "missing_workers");
	for (uint32_t i = 0; i < gather_workers(g); i++) {
		if (gather_misses(g, i))
			jsonw_u64(j, NULL, i);
	}
	jsonw_end(j);
	jsonw_u64(j, "total", total);
	jsonw_u64(j, "shown", shown);
}

void *view_question(size_t bytes, void *control, const struct query *query,
	void (*done)(void *ctx, struct buf *json), void *ctx)
{
	struct view_question *q = mem_zalloc(bytes);
	if (q)
		*q = (struct view_question){control, *query, done, ctx};
	else
		done(ctx, NULL);
	return q;
}

void view_gather(struct view_question *q, const struct gather_ops *ops)
{
	if (control_gather(q->control, ops, q) == 0)
		return;
	q->done(q->ctx, NULL);
	mem_free(q);
}

/* ---- rows ---- */

static size_t text_bytes(const char *text)
{
	return strnlen(text, VIEW_TEXT_MAX) + 1;
}

void *view_row(const void *row, size_t bytes, size_t texts_at, unsigned n)
{
	const char *const *texts = (const void *)((const char *)row + texts_at);
	size_t all = bytes;
	for (unsigned i = 0; i < n; i++)
		all += text_bytes(texts[i]);
	char *copy = mem_alloc(all), *at = copy + bytes;
	if (!copy)
		return NULL;
	memcpy(copy, row, bytes);
	const char **copies = (void *)(copy + texts_at);
	for (unsigned i = 0; i < n; i++) {
		size_t len = text_bytes(texts[i]) - 1;
		memcpy(at, texts[i], len);
		at[len] = '\0';
		copies[i] = at;
		at += len + 1;
	}
	return copy;
}

void view_write_id(struct jsonw *j, const char *key, uint64_t id)
{
	char text[QUERY_ID_BYTES];
	query_id_text(query_id_first(id), query_id_second(id), text);
	jsonw_str(j, key, text);
}

/* ---- a question about rows ---- */

struct question {
	struct view_question head;
	const struct view_rows *view;
	struct best best; /* home's */
};

static bool collect(void *worker, const void *question, void *part)
{
	const struct question *q = question;
	struct view_part *p = part;
	p->worker = worker;
	p->query = &q->head.query;
	p->best.limit = query_number(&q->head.query, VIEW_LIMIT);
	if (q->view->visit_call)
		return walk_calls(&p->walk, worker, WALK_VISITS_PER_TURN, q->view->visit_call, p);
	return walk_connections(
		&p->walk, worker, WALK_VISITS_PER_TURN, q->view->visit_connection, p);
}

static void stop(void *part)
{
	walk_stop(&((struct view_part *)part)->walk);
}

static void merge(void *question, void *part)
{
	best_take(&((struct question *)question)->best, &((struct view_part *)part)->best);
}

static void answer(void *question, const struct gather *g)
{
	struct question *q = question;
	struct buf page;
	struct jsonw j;
	uint64_t now_ns = clock_mono_ns();
	buf_init(&page);
	best_sort(&q->best);
	view_begin(&j, &page, g, q->best.total, q->best.count);
	jsonw_array(&j, q->view->name);
	for (uint32_t i = 0; i < q->best.count; i++)
		q->view->write(&j, q->best.rows[i], now_ns);
	jsonw_end(&j);
	jsonw_end(&j);
	page.failed |= q->best.failed;
	best_fini(&q->best); /* a worker that is stuck may keep the question for long */
	q->head.done(q->head.ctx, &page);
	buf_fini(&page);
}

static void drop_part(void *part)
{
	best_fini(&((struct view_part *)part)->best);
}

static void drop_question(void *question)
{
	best_fini(&((struct question *)question)->best);
	mem_free(question);
}

static const struct gather_ops rows_ops = {
	.part_bytes = sizeof(struct view_part),
	.collect = collect,
	.stop = stop,
	.merge = merge,
	.done = answer,
	.drop_part = drop_part,
	.drop_question = drop_question,
};

void view_ask_rows(struct control *c, const struct view_rows *view, const struct query *query,
	void (*done)(void *ctx, struct buf *json), void *ctx)
{
	struct question *q = view_question(sizeof(*q), c, query, done, ctx);
	if (!q)
		return;
	q->view = view;
	q->best.limit = query_number(query, VIEW_LIMIT);
	view_gather(&q->head, &rows_ops);
}
