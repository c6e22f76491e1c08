/* sim_app.c - the owners: alice asks, bob answers, the relay passes on; and what must be true
 * after. */
#include <stdio.h>
#include <string.h>
#include "http/event.h"
#include "sim.h"

static uint8_t octet(uint32_t n)
{
	return (uint8_t)(n * 7 % 251);
}

static struct station *station_new(struct sim *sim, struct end *e)
{
	struct station *list = sim->stations[e - sim->ends];
	for (unsigned i = 0; i < SIM_STREAMS * 2; i++)
		if (!list[i].used) {
			list[i] = (struct station){.used = true, .end = e};
			return &list[i];
		}
	ASSERT(!"the scenario has more streams than stations");
	return NULL;
}

static void let_go(struct station *st)
{
	if (st->s)
		h2_stream_release(st->s);
	st->s = NULL;
	st->over = true;
}

/* Ends both halves of a relayed stream, or the one of an end's. */
static void cut_short(struct station *st, uint32_t code)
{
	st->cut_short = true;
	if (st->s && !st->over)
		h2_stream_reset(st->s, code);
	let_go(st);
}

/* ---- pushing ---- */

static void admitted(struct station *st, uint32_t bytes)
{
	struct station *from = st->twin;
	st->f.admitted_bytes += bytes;
	if (!from)
		return;
	from->f.credited_bytes += bytes;
	if (from->s)
		h2_stream_credit(from->s, bytes);
}

/* At once or by way of the queue: the owner may choose for each. Not by the dice, which decide
 * how many streams are open before SETTINGS come. */
static void push_data(struct sim *sim, struct station *st, struct event *ev)
{
	if (sim->events % 2) {
		h2_stream_push(st->s, ev);
		return;
	}
	uint32_t now = h2_stream_push_now(st->s, ev);
	if (now)
		admitted(st, now);
}

static bool push_fields(
	struct station *st, enum event_kind kind, enum token t, const char *value, bool end)
{
	struct event ev = {.kind = kind, .end = end, .fields = fields_create()};
	if (!ev.fields || fields_add_str(ev.fields, t, value) ||
		fields_add(ev.fields, "x-sim", 5, "a value that may be indexed", 27)) {
		event_drop(&ev);
		cut_short(st, H2_INTERNAL_ERROR); /* no memory: the owner gives this stream up */
		return false;
	}
	h2_stream_push(st->s, &ev);
	return true;
}

/* The next piece of what this end has to say; false when there is nothing (now). */
static bool push_next(struct sim *sim, struct station *st)
{
	uint8_t bytes[5000];
	struct flow *f = &st->f;
	if (!st->s || st->over || f->end_sent)
		return false;
	if (!f->head_sent) {
		if (st->end != &sim->ends[BOB] || !(f->end_got || sim->sc->early))
			return false;
		bool end = !f->want_bytes && !sim->sc->trailers;
		f->head_sent = true;
		f->end_sent = end;
		return push_fields(st, EVENT_HEAD, TOKEN_STATUS, "200", end);
	}
	uint32_t queued = f->pushed_bytes - f->admitted_bytes - f->dropped_bytes;
	uint32_t left = f->want_bytes - f->pushed_bytes, n = left;
	if (queued > 6000)
		return false;
	if (n > sizeof(bytes))
		n = rand_below(&sim->rand, 2) ? 300 : sizeof(bytes);
	if (n) {
		for (uint32_t i = 0; i < n; i++)
			bytes[i] = octet(f->pushed_bytes + i);
		struct event ev = {.kind = EVENT_DATA, .data = slice_copy(bytes, n)};
		if (!ev.data.slab)
			return true; /* no memory: again in the next turn */
		f->pushed_bytes += n;
		f->end_sent = ev.end = n == left && !sim->sc->trailers;
		push_data(sim, st, &ev);
	} else {
		f->end_sent = true;
		push_fields(st, EVENT_TRAILERS, TOKEN_GRPC_STATUS, "0", true);
	}
	/* RFC 9113 8.1: a complete answer to an incomplete request. */
	if (f->end_sent && sim->sc->early && st->end == &sim->ends[BOB] && !f->end_got && st->s) {
		st->cut_short = true;
		h2_stream_reset(st->s, H2_NO_ERROR);
		let_go(st);
	}
	return true;
}

static bool credit(struct station *st)
{
	uint32_t owed = st->f.got_bytes - st->f.credited_bytes;
	if (!st->s || !owed)
		return false;
	h2_stream_credit(st->s, owed);
	st->f.credited_bytes += owed;
	return true;
}

static bool open_next(struct sim *sim)
{
	struct end *e = &sim->ends[ALICE];
	struct event head = {.kind = EVENT_HEAD, .fields = fields_create()};
	struct h2_stream *s;
	if (e->gone || sim->opened >= sim->sc->streams || !h2_conn_open_slots(e->c)) {
		event_drop(&head);
		return false;
	}
	sim->opened++;
	if (!head.fields || fields_add_str(head.fields, TOKEN_METHOD, "POST") ||
		fields_add_str(head.fields, TOKEN_SCHEME, "http") ||
		fields_add_str(head.fields, TOKEN_PATH, "/sim") ||
		fields_add_str(head.fields, TOKEN_AUTHORITY, "weir.test")) {
		event_drop(&head);
		return true;
	}
	bool end = head.end = !sim->sc->up_bytes && !sim->sc->trailers;
	if (h2_conn_open(e->c, &head, &s))
		return true;
	struct station *st = station_new(sim, e);
	st->s = s;
	st->f = (struct flow){.want_bytes = sim->sc->up_bytes, .head_sent = true, .end_sent = end};
	h2_stream_set_user(s, st);
	return true;
}

bool sim_work(struct sim *sim)
{
	bool moved = open_next(sim);
	for (int which = ALICE; which <= BOB; which++)
		for (unsigned i = 0; i < SIM_STREAMS * 2; i++) {
			struct station *st = &sim->stations[which][i];
			if (sim->ends[which].gone)
				continue;
			moved |= push_next(sim, st);
			if (rand_below(&sim->rand, 2) || !moved)
				moved |= credit(st);
		}
	return moved;
}

/* ---- the relay ---- */

static void relay_open(struct sim *sim, struct station *st, struct event *head)
{
	struct end *link = st->end->twin;
	struct h2_stream *s;
	if (link->gone || h2_conn_open(link->c, head, &s)) {
		if (link->gone)
			event_drop(head);
		cut_short(st, H2_REFUSED_STREAM);
		return;
	}
	struct station *twin = station_new(sim, link);
	twin->s = s;
	twin->twin = st;
	st->twin = twin;
	h2_stream_set_user(s, twin);
}

static void relay_message(struct sim *sim, struct station *st, struct event *ev)
{
	struct station *to = st->twin;
	st->f.got_bytes += ev->kind == EVENT_DATA ? ev->data.len : 0;
	st->f.end_got |= ev->end;
	if (ev->kind == EVENT_HEAD && st->end == &sim->ends[FRONT]) {
		relay_open(sim, st, ev);
	} else if (to && to->s) {
		to->f.pushed_bytes += ev->kind == EVENT_DATA ? ev->data.len : 0;
		to->f.end_sent |= ev->end;
		push_data(sim, to, ev);
	} else {
		event_drop(ev);
	}
}

/* ---- events ---- */

static void end_message(struct sim *sim, struct station *st, struct event *ev)
{
	for (uint32_t i = 0; ev->kind == EVENT_DATA && i < ev->data.len; i++)
		if (ev->data.at[i] != octet(st->f.got_bytes + i) && sim->inject != INJECT_GARBAGE) {
			sim_wrong(sim, "%s: octet %u is wrong", st->end->name, st->f.got_bytes + i);
			break;
		}
	if (ev->kind == EVENT_DATA)
		st->f.got_bytes += ev->data.len;
	st->f.end_got |= ev->end;
	event_drop(ev);
}

static void finished(struct sim *sim, struct station *st, const struct h2_event *ev)
{
	let_go(st);
	if (ev->kind != H2_EV_RESET)
		return;
	st->cut_short = true;
	if (st->twin && !st->twin->over)
		cut_short(st->twin, ev->code);
}

void sim_event(struct sim *sim, struct end *e, struct h2_event *ev)
{
	bool relay = e->twin;
	struct station *st = ev->stream ? h2_stream_user(ev->stream) : NULL;
	if (ev->stream && !st) {
		st = station_new(sim, e);
		st->s = ev->stream;
		st->f.want_bytes = e == &sim->ends[BOB] ? sim->sc->down_bytes : 0;
		h2_stream_set_user(ev->stream, st);
	}
	if (st && st->over)
		sim_wrong(sim, "%s: an event after a stream's last one", e->name);
	switch ((int)ev->kind) {
	case H2_EV_MESSAGE:
		relay ? relay_message(sim, st, &ev->ev) : end_message(sim, st, &ev->ev);
		break;
	case H2_EV_ADMITTED:
		admitted(st, ev->bytes);
		break;
	case H2_EV_RESET:
	case H2_EV_CLOSED:
		finished(sim, st, ev);
		break;
	case H2_EV_DEAD:
		e->dead = true;
		break;
	default:
		break;
	}
}

void sim_conn_lost(struct sim *sim, struct end *e)
{
	struct station *list = sim->stations[e - sim->ends];
	for (unsigned i = 0; i < SIM_STREAMS * 2; i++) {
		struct station *st = &list[i];
		if (!st->used || st->over)
			continue;
		st->cut_short = true;
		let_go(st);
		if (st->twin && !st->twin->over)
			cut_short(st->twin, H2_CANCEL);
	}
}

/* ---- injections ---- */

static struct station *some_live(struct sim *sim, int which)
{
	unsigned from = (unsigned)rand_below(&sim->rand, SIM_STREAMS);
	for (unsigned i = 0; i < SIM_STREAMS * 2; i++) {
		struct station *st = &sim->stations[which][(from + i) % (SIM_STREAMS * 2)];
		if (st->s && !st->over)
			return st;
	}
	return NULL;
}

static void drop_queued(struct station *st)
{
	st->f.dropped_bytes += h2_stream_drop_queued(st->s);
	st->cut_short = true;
	if (st->f.head_sent) /* an end behind what was dropped is gone too */
		push_fields(st, EVENT_TRAILERS, TOKEN_GRPC_STATUS, "14", true);
	st->f.end_sent = true;
}

void sim_inject_stream(struct sim *sim)
{
	struct station *alice = some_live(sim, ALICE), *bob = some_live(sim, BOB);
	struct h2_conn *a = sim->ends[ALICE].c, *b = sim->ends[BOB].c;
	switch ((int)sim->inject) {
	case INJECT_RESET_ALICE:
		if (alice)
			cut_short(alice, H2_CANCEL);
		break;
	case INJECT_RESET_BOB:
		if (bob)
			cut_short(bob, H2_INTERNAL_ERROR);
		break;
	case INJECT_RELEASE_ALICE:
		if (alice) {
			alice->cut_short = true;
			let_go(alice);
		}
		break;
	case INJECT_RELEASE_BOB:
		if (bob) {
			bob->cut_short = true;
			let_go(bob);
		}
		break;
	case INJECT_DRAIN_ALICE:
		h2_conn_drain(a, "drain");
		break;
	case INJECT_DRAIN_NOW_BOB:
	case INJECT_DRAIN_BOB:
		h2_conn_drain(b, "drain");
		if (sim->inject == INJECT_DRAIN_NOW_BOB)
			h2_conn_drain_now(b);
		break;
	case INJECT_KILL_ALICE:
		h2_conn_kill(a, H2_NO_ERROR, "gone");
		break;
	case INJECT_KILL_BOB:
		h2_conn_kill(b, H2_INTERNAL_ERROR, "gone");
		break;
	case INJECT_DROP_BOB:
		if (bob && bob->f.head_sent)
			drop_queued(bob);
		break;
	}
}

/* ---- what must be true when nothing moves any more, before anything is torn down ---- */

static void judge_books(struct sim *sim, const struct station *st)
{
	const struct flow *f = &st->f;
	struct h2_stream_info info;
	if (st->s && !st->end->gone) {
		h2_stream_inspect(st->s, &info);
		if (!st->cut_short &&
			f->pushed_bytes != f->admitted_bytes + f->dropped_bytes + info.queued_bytes)
			sim_wrong(sim, "%s: %u pushed is not %u admitted + %u dropped + %u queued",
				st->end->name, f->pushed_bytes, f->admitted_bytes, f->dropped_bytes,
				info.queued_bytes);
	}
	if (st->over && !st->cut_short && f->pushed_bytes != f->admitted_bytes)
		sim_wrong(sim, "%s: a closed stream admitted %u of %u octets", st->end->name,
			f->admitted_bytes, f->pushed_bytes);
	/* Credit: received = forwarded + held + returned; nothing is held by now. */
	if (st->twin && st->over && st->twin->over && !st->cut_short && !st->twin->cut_short &&
		f->got_bytes != st->twin->f.admitted_bytes)
		sim_wrong(sim, "%s: %u octets received, %u forwarded", st->end->name, f->got_bytes,
			st->twin->f.admitted_bytes);
	if (f->credited_bytes > f->got_bytes)
		sim_wrong(sim, "%s: %u octets credited, %u received", st->end->name,
			f->credited_bytes, f->got_bytes);
}

static bool complete(const struct sim *sim, const struct station *st)
{
	uint32_t want = st->end == &sim->ends[ALICE] ? sim->sc->down_bytes : sim->sc->up_bytes;
	return st->used && st->over && st->f.end_got && st->f.got_bytes == want;
}

static void judge_completion(struct sim *sim, unsigned at_least)
{
	unsigned done = 0;
	for (unsigned i = 0; i < SIM_STREAMS * 2; i++)
		done += complete(sim, &sim->stations[ALICE][i]);
	if (done < at_least)
		sim_wrong(sim, "%u of %u streams came to their end at alice", done, at_least);
	if (sim->inject == INJECT_NOTHING && !sim->sc->early &&
		sim->books.data_bytes_in != sim->books.data_bytes_out)
		sim_wrong(sim, "%llu octets were sent and %llu received",
			(unsigned long long)sim->books.data_bytes_out,
			(unsigned long long)sim->books.data_bytes_in);
}

void sim_judge(struct sim *sim)
{
	/* A garbled length may leave an engine waiting for octets that never come, and a window
	 * that was a lie may end anything: then only the books count. */
	bool lies = sim->inject == INJECT_GARBAGE || sim->inject == INJECT_WINDOW_HUGE;
	for (int which = 0; which < 4; which++)
		for (unsigned i = 0; i < SIM_STREAMS * 2; i++) {
			const struct station *st = &sim->stations[which][i];
			if (!st->used)
				continue;
			judge_books(sim, st);
			if (!lies && !st->over && !st->end->gone)
				sim_wrong(sim, "%s: a stream neither ended nor was reset",
					st->end->name);
		}
	if (sim->inject == INJECT_NOTHING || sim->inject == INJECT_WINDOW_0 ||
		sim->inject == INJECT_WINDOW_1)
		judge_completion(sim, sim->sc->streams);
	else if (sim->inject <= INJECT_RELEASE_BOB && sim->inject >= INJECT_RESET_ALICE)
		judge_completion(sim, sim->sc->streams - 1);
	else if (sim->inject == INJECT_DROP_BOB)
		judge_completion(sim, sim->sc->streams - 1);
}
