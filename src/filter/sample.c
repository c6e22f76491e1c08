#include "filter/sample.h"
#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "call/ending.h"
#include "call/known.h"
#include "call/match.h"
#include "call/stall.h"
#include "filter/sample_cut.h"
#include "filter/sample_metadata.h"
#include "filter/sample_ring.h"
#include "shared/sink.h"

/* Of each `every` messages in a row, `left` are to come; the one with `pick` behind it is taken. */
struct turn {
	uint32_t left, pick;
};

/* What lasts longer than a route's configuration. */
struct route_turns {
	struct turn lanes[2];
};

struct sampler {
	struct strmap routes; /* by name: struct route_turns */
	struct sample_ring ring;
	uint64_t taking_bytes; /* beginnings of messages under way; at most ring.cap */
	struct buf record, lists;
};

/* A chosen message that is under way. */
struct taking {
	uint32_t size; /* as announced */
	bool compressed;
	uint32_t len, cap;
	char bytes[];
};

struct lane {
	struct sample_cut cut;
	uint64_t messages; /* begun */
	struct taking *taking;
};

struct sampled {
	struct route_turns *turns; /* NULL: no memory */
	struct sample_metadata lists[SAMPLE_LISTS];
	bool whole;    /* by header: every message */
	bool is_shown; /* there is a record of it */
	uint8_t wire;
	struct lane lanes[2];
};

/* ---- counting what became of samples ---- */

static void count_dropped(struct call *c, const char *reason)
{
	const char *labels[] = {reason};
	series_add(
		metrics_series(c->env->metrics, GROUP_SAMPLE_DROP, labels), M_SAMPLES_DROPPED, 1);
}

static void count_taken(struct call *c, enum lane_id id)
{
	const char *labels[] = {c->route->name, lane_direction(id)};
	series_add(metrics_series(c->env->metrics, GROUP_SAMPLE, labels), M_SAMPLES, 1);
}

/* ---- taking ---- */

static bool is_chosen(struct call *c, struct sampled *s, enum lane_id id)
{
	uint32_t every = c->route->sample.every;
	struct turn *t = &s->turns->lanes[id];
	if (s->whole || every == 0 || !s->turns)
		return s->whole;
	if (t->left == 0 || t->left > every)
		*t = (struct turn){every, (uint32_t)rand_below(c->env->rand, every)};
	return --t->left == t->pick;
}

static struct taking *take(struct call *c, const struct sampled *s, const struct sample_part *p)
{
	struct sampler *sampler = c->env->sampler;
	uint32_t cap = c->route->sample.bytes;
	bool announced = s->wire != GRPC_WIRE_CONNECT_UNARY;
	if (announced && p->size < cap)
		cap = p->size;
	bool room = sampler->taking_bytes + cap + sizeof(struct taking) <= sampler->ring.cap;
	struct taking *t = room ? mem_alloc(sizeof(*t) + cap) : NULL;
	if (!t) {
		count_dropped(c, "memory");
		return NULL;
	}
	*t = (struct taking){.size = p->size, .compressed = p->compressed, .cap = cap};
	sampler->taking_bytes += cap + sizeof(*t);
	return t;
}

static void take_more(struct taking *t, const struct sample_part *p)
{
	uint32_t room = t->cap - t->len;
	uint32_t n = p->len < room ? p->len : room;
	if (n)
		memcpy(t->bytes + t->len, p->at, n);
	t->len += n;
}

/* ---- giving ---- */

static struct sample_text at_most(const char *text, size_t most)
{
	return (struct sample_text){text, strnlen(text, most)};
}

/* What all records of a call say. */
static struct sample describe(const struct call *c)
{
	return (struct sample){
		.time_ns = c->env->wall_ns,
		.worker = c->env->index,
		.stream = c->id,
		.listener = sample_text(c->listener ? c->listener->name : ""),
		.route = sample_text(c->route->name),
		.cluster = sample_text(c->cluster ? c->cluster->name : ""),
		.service = at_most(c->said->grpc_service, SAMPLE_NAME_BYTES),
		.method = at_most(c->said->grpc_method, SAMPLE_NAME_BYTES),
		.grpc_status = -1,
	};
}

/* They point into the sampler's buffer. */
static void describe_lists(const struct call *c, const struct sampled *s, struct sample *out)
{
	struct buf *lists = &c->env->sampler->lists;
	size_t begun = 0;
	buf_clear(lists);
	for (enum sample_list i = 0; i < SAMPLE_LISTS; i++) {
		bool all = sample_metadata_encode(&s->lists[i], i, lists);
		out->lists[i].cut = s->lists[i].cut || !all;
		out->lists[i].fields.len = lists->len - begun;
		begun = lists->len;
	}
	begun = 0;
	for (enum sample_list i = 0; i < SAMPLE_LISTS; i++) {
		out->lists[i].fields.at = lists->bytes ? lists->bytes + begun : "";
		begun += out->lists[i].fields.len;
	}
}

static void give_log(struct call *c, const struct sample *sample)
{
	struct jsonw j;
	struct buf *line = &c->env->line;
	buf_clear(line);
	jsonw_begin(&j, line);
	jsonw_object(&j, NULL);
	sample_json(&j, "sample", sample);
	jsonw_end(&j);
	buf_char(line, '\n');
	if (line->failed || !sink_put(c->generation->config->sampling.log_sink, &c->env->outputs,
				    line->bytes, line->len))
		count_dropped(c, "log");
}

static void give(struct call *c, const struct sample *sample)
{
	struct sampler *sampler = c->env->sampler;
	const struct buf *record = &sampler->record;
	uint8_t outputs = c->route->sample.outputs;
	buf_clear(&sampler->record);
	sample_encode(&sampler->record, sample);
	if (record->failed) {
		count_dropped(c, "memory");
		return;
	}
	if (outputs & SAMPLE_TO_RING &&
		sample_ring_put(&sampler->ring, record->bytes, record->len) != 0)
		count_dropped(c, "memory");
	if (outputs & SAMPLE_TO_FILE && !sink_put(c->generation->config->sampling.file_sink,
						&c->env->outputs, record->bytes, record->len))
		count_dropped(c, "file");
	if (outputs & SAMPLE_TO_LOG)
		give_log(c, sample);
}

static void let_go(struct call *c, struct lane *l)
{
	c->env->sampler->taking_bytes -= l->taking->cap + sizeof(*l->taking);
	mem_free(l->taking);
	l->taking = NULL;
}

static void give_taken(struct call *c, struct sampled *s, enum lane_id id, bool cut)
{
	struct lane *l = &s->lanes[id];
	struct sample sample = describe(c);
	sample.direction = id == LANE_REQUEST ? SAMPLE_DIRECTION_SENT : SAMPLE_DIRECTION_RECEIVED;
	sample.message = l->messages;
	sample.size = l->taking->size;
	sample.compressed = l->taking->compressed;
	sample.cut = cut;
	sample.payload = (struct sample_text){l->taking->bytes, l->taking->len};
	describe_lists(c, s, &sample);
	give(c, &sample);
	count_taken(c, id);
	let_go(c, l);
	s->is_shown = true;
}

static void give_ending(struct call *c, struct sampled *s)
{
	enum call_ending ending = call_ending(c);
	struct sample sample = describe(c);
	sample.event = SAMPLE_EVENT_END;
	sample.http_status = c->http_status;
	sample.grpc_status = c->grpc_status;
	sample.ended_by = sample_text(call_ending_by(ending));
	sample.reason = sample_text(call_ending_label(ending));
	describe_lists(c, s, &sample);
	give(c, &sample);
}

/* ---- the filter ---- */

static bool wants(const struct call *c)
{
	const struct config_sample *s = c->route ? &c->route->sample : NULL;
	if (!s || (!s->every && !s->header.name) || !c->env->sampler)
		return false;
	return known_wire(c, c->env->head) != GRPC_WIRE_NONE &&
	       (s->every || match_header(&s->header, c->env->head));
}

static struct route_turns *turns_of(struct sampler *sampler, const char *route)
{
	size_t len = strlen(route);
	struct route_turns *t = strmap_get(&sampler->routes, route, len);
	if (t || !(t = mem_zalloc(sizeof(*t))))
		return t;
	if (strmap_put(&sampler->routes, route, len, t) == 0)
		return t;
	mem_free(t);
	return NULL;
}

static int on_open(struct call *c, void *state)
{
	struct sampled *s = state;
	const struct config_sample *config = &c->route->sample;
	s->wire = (uint8_t)known_wire(c, c->env->head);
	s->whole = config->header.name && match_header(&config->header, c->env->head);
	if (config->lanes & SAMPLE_SENT)
		sample_cut_init(&s->lanes[LANE_REQUEST].cut, (enum grpc_wire)s->wire,
			grpc_body_is_compressed(c->env->head));
	s->turns = turns_of(c->env->sampler, c->route->name);
	sample_metadata_keep(&s->lists[SAMPLE_LIST_REQUEST], c, c->env->head);
	s->is_shown = s->whole;
	return 0;
}

static void on_part(struct call *c, struct sampled *s, enum lane_id id, const struct sample_part *p)
{
	struct lane *l = &s->lanes[id];
	if (p->begins) {
		l->messages++;
		if (is_chosen(c, s, id))
			l->taking = take(c, s, p);
	}
	if (!l->taking)
		return;
	take_more(l->taking, p);
	if (!p->ends)
		return;
	l->taking->size = p->size;
	give_taken(c, s, id, false);
}

static void on_data(struct call *c, struct sampled *s, enum lane_id id, const struct slice *data)
{
	struct sample_cut *cut = &s->lanes[id].cut;
	struct sample_part part;
	const uint8_t *at = data->at, *end = at + data->len;
	if (data->len == 0 || cut->walk.wire == GRPC_WIRE_NONE)
		return;
	while (sample_cut_next(cut, &at, end, &part))
		on_part(c, s, id, &part);
}

/* In the middle of a message: what there is of it is shown. */
static void give_rest(struct call *c, struct sampled *s, enum lane_id id)
{
	struct lane *l = &s->lanes[id];
	if (!l->taking)
		return;
	if (l->cut.walk.wire == GRPC_WIRE_CONNECT_UNARY)
		l->taking->size = grpc_walker_pending(&l->cut.walk);
	give_taken(c, s, id, true);
}

static void on_end(struct call *c, struct sampled *s, enum lane_id id)
{
	struct sample_part part;
	if (sample_cut_finish(&s->lanes[id].cut, &part))
		on_part(c, s, id, &part);
	give_rest(c, s, id);
	s->lanes[id].cut.walk.wire = GRPC_WIRE_NONE;
}

static bool on_request(struct call *c, void *state, struct event *ev)
{
	if (ev->kind == EVENT_DATA)
		on_data(c, state, LANE_REQUEST, &ev->data);
	if (ev->end)
		on_end(c, state, LANE_REQUEST);
	return true;
}

static void on_response_head(struct call *c, struct sampled *s, const struct fields *head)
{
	sample_metadata_keep(&s->lists[SAMPLE_LIST_RESPONSE], c, head);
	if (c->route->sample.lanes & SAMPLE_RECEIVED)
		sample_cut_init(&s->lanes[LANE_RESPONSE].cut,
			grpc_wire_of_response((enum grpc_wire)s->wire, head),
			grpc_body_is_compressed(head));
}

/* Whatever can still be sampled of the call is under way by now, but for its request's rest. */
static void on_trailers(struct call *c, struct sampled *s, const struct fields *trailers)
{
	if (s->is_shown || !c->request_ended || s->lanes[LANE_REQUEST].taking ||
		s->lanes[LANE_RESPONSE].taking)
		sample_metadata_keep(&s->lists[SAMPLE_LIST_TRAILERS], c, trailers);
}

static bool on_response(struct call *c, void *state, struct event *ev)
{
	struct sampled *s = state;
	if (ev->kind == EVENT_HEAD)
		on_response_head(c, s, ev->fields);
	if (ev->kind == EVENT_DATA)
		on_data(c, s, LANE_RESPONSE, &ev->data);
	if (ev->kind == EVENT_TRAILERS)
		on_trailers(c, s, ev->fields);
	if (ev->end)
		on_end(c, s, LANE_RESPONSE);
	return true;
}

static void on_close(struct call *c, void *state)
{
	struct sampled *s = state;
	give_rest(c, s, LANE_REQUEST);
	give_rest(c, s, LANE_RESPONSE);
	if (s->is_shown)
		give_ending(c, s);
}

const struct call_filter filter_sample = {
	.name = "sample",
	.state_bytes = sizeof(struct sampled),
	.wants = wants,
	.open = on_open,
	.request = on_request,
	.response = on_response,
	.close = on_close,
};

/* ---- the worker's part ---- */

static bool samples_anything(const struct config *config)
{
	for (uint32_t i = 0; i < config->route_count; i++)
		if (config->routes[i].sample.outputs)
			return true;
	return false;
}

int sampler_install(struct call_env *env, const struct config *config)
{
	struct sampler *s = env->sampler;
	if (s)
		return sample_ring_resize(&s->ring, (size_t)config->sampling.ring_bytes);
	if (!samples_anything(config))
		return 0;
	s = env->sampler = mem_zalloc(sizeof(*s));
	if (!s)
		return ERR_NOMEM;
	strmap_init(&s->routes);
	sample_ring_init(&s->ring, (size_t)config->sampling.ring_bytes);
	buf_init(&s->record);
	buf_init(&s->lists);
	return 0;
}

void sampler_destroy(struct call_env *env)
{
	struct sampler *s = env->sampler;
	uint32_t it = 0;
	const char *name;
	size_t len;
	void *turns;
	if (!s)
		return;
	ASSERT(s->taking_bytes == 0);
	while (strmap_next(&s->routes, &it, &name, &len, &turns))
		mem_free(turns);
	strmap_fini(&s->routes);
	sample_ring_fini(&s->ring);
	buf_fini(&s->record);
	buf_fini(&s->lists);
	mem_free(s);
	env->sampler = NULL;
}

void sampler_publish(const struct call_env *env, struct series *worker)
{
	if (!env->sampler)
		return;
	series_set(worker, M_SAMPLES_OVERWRITTEN, env->sampler->ring.overwritten);
}

/* ---- looking for samples ---- */

static bool matches(const struct sample_search *search, const char *record, size_t len)
{
	struct sample s;
	if (sample_decode(record, len, &s) != 0)
		return false;
	if (search->stream && search->stream != s.stream)
		return false;
	return !search->route || (s.route.len == strlen(search->route) &&
					 !memcmp(s.route.at, search->route, s.route.len));
}

/* The oldest of what was found; its place is used again now and then. */
static void lose_oldest(struct sample_search *search)
{
	struct buf *found = &search->found;
	int64_t bytes = sample_record_bytes(found->bytes + search->gone, found->len - search->gone);
	ASSERT(bytes > 0);
	search->gone += (size_t)bytes;
	search->count--;
	if (search->gone > found->len / 2) {
		buf_consume(found, search->gone);
		search->gone = 0;
	}
}

static void keep_found(struct sample_search *search, size_t from)
{
	struct buf *found = &search->found;
	size_t len = found->len - from - SAMPLE_LENGTH_BYTES;
	if (found->failed || !matches(search, found->bytes + from + SAMPLE_LENGTH_BYTES, len)) {
		found->len = from;
		return;
	}
	search->matched++;
	search->count++;
	if (search->count > search->limit)
		lose_oldest(search);
}

bool sampler_search(const struct sampler *s, struct sample_search *search)
{
	if (!s || !s->ring.bytes)
		return true;
	if (search->at < s->ring.begin) /* overwritten meanwhile, or the first time */
		search->at = s->ring.begin;
	uint64_t until = search->at + SAMPLE_SEARCH_BYTES;
	while (search->at < until && !search->found.failed) {
		size_t from = search->found.len;
		if (!sample_ring_next(&s->ring, &search->at, &search->found))
			return true;
		keep_found(search, from);
	}
	return search->found.failed;
}
