#include "http2/runs.h"
#include "base/mem.h"
#include "http2/conn_priv.h"

bool h2_runs_begin(struct h2_conn *c)
{
	c->runs = h2_runs_get();
	if (c->runs)
		c->runs->first = c->runs->count = 0;
	return c->runs;
}

static bool begin_run(struct h2_conn *c, struct h2_stream *s, const struct slice *content)
{
	struct h2_runs *runs = c->runs;
	if (runs->count == H2_RUNS)
		return false;
	runs->run[runs->count] = (struct h2_run){s, slice_dup(*content), 0, false};
	s->run = (uint16_t)++runs->count;
	return true;
}

/* The second frame: what was a view becomes a copy. */
static bool make_room(struct h2_conn *c, struct h2_run *r)
{
	struct slab *slab = slab_get_small(c->out.pool);
	if (!slab)
		return false;
	memcpy(slab->bytes, r->data.at, r->data.len);
	r->room = SLAB_SMALL_BYTES - r->data.len;
	if (r->data.slab)
		slab_unref(r->data.slab);
	r->data.slab = slab;
	r->data.at = slab->bytes;
	r->copied = true;
	return true;
}

bool h2_runs_add(struct h2_conn *c, struct h2_stream *s, const struct slice *content)
{
	if (!s->run)
		return begin_run(c, s, content);
	struct h2_run *r = &c->runs->run[s->run - 1];
	uint32_t len = content->len;
	if (UNLIKELY(len > r->room)) {
		if (r->copied || len + r->data.len > SLAB_SMALL_BYTES || !make_room(c, r))
			return false;
	}
	uint8_t *to = r->data.at + r->data.len;
	r->data.len += len;
	c->books->merged_frames++;
	r->room -= len;
	mem_copy(to, content->at, len);
	/* Until its next frame comes the stream's siblings have theirs. */
	__builtin_prefetch(to + len + 64, 1);
	__builtin_prefetch(to + len + 128, 1);
	return true;
}

bool h2_runs_next(struct h2_conn *c, struct h2_event *out)
{
	struct h2_runs *runs = c->runs;
	while (runs->first < runs->count) {
		struct h2_run *r = &runs->run[runs->first++];
		if (UNLIKELY(!r->stream))
			continue;
		r->stream->run = 0;
		h2_event_data(out, r->stream, r->data, false);
		return true;
	}
	c->runs = NULL;
	h2_runs_put(runs);
	return false;
}

void h2_runs_forget(struct h2_stream *s)
{
	struct h2_run *r = &s->conn->runs->run[s->run - 1];
	slice_drop(&r->data);
	r->stream = NULL;
	s->run = 0;
}

void h2_runs_fini(struct h2_conn *c)
{
	struct h2_event unwanted;
	while (c->runs && h2_runs_next(c, &unwanted))
		event_drop(&unwanted.ev);
}
