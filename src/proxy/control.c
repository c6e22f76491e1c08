#include "proxy/control.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"
#include "proxy/accept.h"
#include "proxy/control_priv.h"

#define LISTEN_BACKLOG 4096

/* ---- listeners ---- */

/* `fd`: a listening socket to take over, or -1: bind one. */
static struct listener *make_listener(const struct config_listener *lc, bool admin, int fd)
{
	struct listener *l = mem_zalloc(sizeof(*l));
	if (!l)
		return NULL;
	l->refs = 1;
	l->admin = admin;
	l->config.name = mem_dup(lc->name, strlen(lc->name));
	l->config.address = lc->address;
	l->config.address.text = mem_dup(lc->address.text, strlen(lc->address.text));
	l->fd = fd >= 0 ? fd
			: sock_listen((const struct sockaddr *)&lc->address.sa, lc->address.sa_len,
				  lc->congestion_control, LISTEN_BACKLOG);
	if (l->fd < 0 || !l->config.name || !l->config.address.text) {
		log_line(LOG_ERROR, "cannot listen", "listener", lc->name, "address",
			lc->address.text, "cause", strerror(errno), NULL);
		if (l->fd >= 0)
			close(l->fd);
		mem_free(l->config.name);
		mem_free(l->config.address.text);
		mem_free(l);
		return NULL;
	}
	char bound[SOCK_TEXT_MAX];
	if (sock_local_text(l->fd, bound, sizeof(bound)) == 0)
		log_line(LOG_INFO, "listening", "listener", lc->name, "address", bound, NULL);
	return l;
}

static bool same_address(const struct listener *a, const struct config_address *b)
{
	return !strcmp(a->config.address.text, b->text);
}

/* A listener that only changed its name keeps its socket: no connection in the backlog is lost. */
static struct listener *keep_or_bind(
	struct control *c, const struct config_listener *lc, bool admin)
{
	for (uint32_t i = 0; i < c->listener_count; i++) {
		struct listener *l = c->listeners[i];
		if (!same_address(l, &lc->address))
			continue;
		if (l->admin == admin && !strcmp(l->config.name, lc->name))
			return listener_ref(l);
		return make_listener(lc, admin, fcntl(l->fd, F_DUPFD_CLOEXEC, 0));
	}
	return make_listener(lc, admin, -1);
}

/* The kernel refuses connections from now on, although connections that came this way keep the
 * listener. */
static void stop_absent(
	struct listener **old, uint32_t old_count, struct listener **now, uint32_t count)
{
	for (uint32_t i = 0; i < old_count; i++) {
		bool kept = false;
		for (uint32_t j = 0; j < count; j++)
			kept = kept || same_address(old[i], &now[j]->config.address);
		if (!kept)
			shutdown(old[i]->fd, SHUT_RDWR);
	}
}

/* Those that were kept may have another now. */
static void set_congestion(struct listener **listeners, const struct config *config)
{
	for (uint32_t i = 0; i < config->listener_count; i++)
		sock_set_congestion(listeners[i]->fd, config->listeners[i].congestion_control);
}

static void unref_listeners(struct listener **listeners, uint32_t n)
{
	for (uint32_t i = 0; listeners && i < n; i++)
		listener_unref(listeners[i]);
	mem_free(listeners);
}

/* All listeners of `config` in its order, then the admin's; those that exist already kept. NULL:
 * one could not be bound, said in the log. */
static struct listener **make_listeners(
	struct control *c, const struct config *config, uint32_t *count)
{
	uint32_t n = 0;
	struct listener **all = mem_zalloc((config->listener_count + 1) * sizeof(*all));
	if (!all)
		return NULL;
	for (uint32_t i = 0; i < config->listener_count; i++) {
		all[n] = keep_or_bind(c, &config->listeners[i], false);
		if (!all[n++])
			goto fail;
	}
	if (config->has_admin) {
		struct config_listener admin = {.name = (char *)"admin", .address = config->admin};
		all[n] = keep_or_bind(c, &admin, true);
		if (!all[n++])
			goto fail;
	}
	*count = n;
	return all;
fail:
	unref_listeners(all, n);
	return NULL;
}

/* ---- installing a configuration ---- */

struct install {
	struct letter letter;
	struct control *control;
	struct config *config;
	struct listener **listeners;
	uint32_t listener_count;
};

static void install_here(
	struct worker *w, struct config *config, struct listener **listeners, uint32_t n)
{
	if (worker_install(w, config, listeners, n) != 0)
		log_line(LOG_ERROR,
			"a worker could not take the configuration: it stays with the one before",
			NULL);
}

static void open_install(struct letter *l, void *owner)
{
	struct install *in = CONTAINER_OF(l, struct install, letter);
	install_here(owner, in->config, in->listeners, in->listener_count);
	atomic_fetch_add_explicit(&in->control->installed, 1, memory_order_release);
	config_unref(in->config);
	unref_listeners(in->listeners, in->listener_count);
	mem_free(in);
}

static struct install *make_install(struct control *c)
{
	struct install *in = mem_zalloc(sizeof(*in));
	if (!in)
		return NULL;
	in->listeners = mem_zalloc((c->listener_count + 1) * sizeof(struct listener *));
	if (!in->listeners) {
		mem_free(in);
		return NULL;
	}
	for (uint32_t i = 0; i < c->listener_count; i++)
		in->listeners[i] = listener_ref(c->listeners[i]);
	in->listener_count = c->listener_count;
	in->config = config_ref(c->config);
	in->control = c;
	in->letter.open = open_install;
	return in;
}

static int install_everywhere(struct control *c)
{
	sinks_set_limit(c->sinks, c->config->limits.output_bytes);
	for (uint32_t i = 0; i < c->worker_count; i++) {
		struct install *in = make_install(c);
		if (!in)
			return ERR_NOMEM;
		worker_post(c->workers[i], &in->letter);
	}
	install_here(c->worker, c->config, c->listeners, c->listener_count);
	series_set(c->worker->process, M_CONFIG_GENERATION, c->config->generation);
	series_set(c->worker->process, M_MEMORY_LIMIT, c->config->limits.memory_bytes);
	series_set(c->worker->process, M_DRAIN_GRACE, c->config->drain_grace_ns);
	return 0;
}

static void reload_refused(struct control *c, const char *errors)
{
	series_add(c->worker->process, M_CONFIG_RELOAD_ERRORS, 1);
	if (errors)
		fputs(errors, stderr);
	log_line(LOG_ERROR, "reload refused: the configuration in force stays", "file", c->file,
		NULL);
}

/* A configuration with its outputs open. NULL: `errors` or the log has why. */
static struct config *load(struct control *c, struct buf *errors)
{
	struct config *config = config_load(c->file, errors);
	if (config && outputs_open(c->sinks, config) != 0) {
		config_unref(config);
		return NULL;
	}
	return config;
}

static void reload(struct control *c)
{
	struct buf errors;
	buf_init(&errors);
	struct config *config = load(c, &errors);
	uint32_t n = 0;
	struct listener **listeners = config ? make_listeners(c, config, &n) : NULL;
	if (!listeners) {
		reload_refused(c, errors.bytes);
		config_unref(config);
		goto out;
	}
	if (config->workers != c->config->workers)
		log_line(LOG_WARN, "a change of workers takes effect at the next start", NULL);
	config->generation = c->config->generation + 1;
	config_unref(c->config);
	c->config = config;
	stop_absent(c->listeners, c->listener_count, listeners, n);
	set_congestion(listeners, config);
	unref_listeners(c->listeners, c->listener_count);
	c->listeners = listeners;
	c->listener_count = n;
	if (install_everywhere(c) != 0) {
		reload_refused(c, "out of memory\n");
		goto out;
	}
	series_add(c->worker->process, M_CONFIG_RELOADS, 1);
	char number[24];
	snprintf(number, sizeof(number), "%llu", (unsigned long long)config->generation);
	log_line(LOG_INFO, "configuration reloaded", "file", c->file, "generation", number, NULL);
out:
	buf_fini(&errors);
}

/* ---- drain ---- */

struct drain_order {
	struct letter letter;
	uint64_t grace_ns;
};

static void open_drain(struct letter *l, void *owner)
{
	struct drain_order *d = CONTAINER_OF(l, struct drain_order, letter);
	worker_drain(owner, d->grace_ns);
	mem_free(d);
}

static void order_drain(struct control *c, uint64_t grace_ns)
{
	for (uint32_t i = 0; i < c->worker_count; i++) {
		struct drain_order *d = mem_zalloc(sizeof(*d));
		ASSERT(d); /* nothing is left to be saved by going on */
		d->letter.open = open_drain;
		d->grace_ns = grace_ns;
		worker_post(c->workers[i], &d->letter);
	}
}

void control_drain(void *arg)
{
	struct control *c = arg;
	if (c->draining)
		return;
	c->draining = true;
	atomic_store_explicit(&c->shared->draining, true, memory_order_relaxed);
	series_set(c->worker->process, M_DRAINING, 1);
	series_set(c->worker->process, M_DRAIN_START, clock_wall_ns());
	log_line(LOG_INFO, "draining", NULL);
	for (uint32_t i = 0; i < c->listener_count; i++) {
		if (!c->listeners[i]->admin)
			shutdown(c->listeners[i]->fd, SHUT_RDWR);
	}
	order_drain(c, c->config->drain_grace_ns);
}

/* Runs on the worker's thread, as its last act. */
static void on_worker_stopped(struct worker *w)
{
	struct control *c = w->stopped_arg;
	worker_post(c->worker, &c->ends[w->index].letter);
}

static void open_gone(struct letter *l, void *owner)
{
	struct worker_end *end = CONTAINER_OF(l, struct worker_end, letter);
	struct worker *w = owner;
	struct control *c = w->stopped_arg;
	struct worker *ended = c->workers[end - c->ends];
	end->over = true;
	mailbox_run(&ended->box, ended); /* nobody else will, and pages wait for answers */
	if (--c->running > 0)
		return;
	if (c->last_words)
		c->last_words(); /* this turn still writes them */
	w->loop.stop = true;
}

/* ---- signals ---- */

static void on_signal(struct watch *watch, uint32_t events)
{
	struct control *c = CONTAINER_OF(watch, struct control, signals);
	struct signalfd_siginfo info;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			sinks_reopen(c->sinks);
		if (info.ssi_signo == SIGHUP && !c->draining)
			reload(c);
		else if (info.ssi_signo != SIGHUP && c->draining)
			order_drain(c, 0);
		else if (info.ssi_signo != SIGHUP)
			control_drain(c);
	}
}

static int watch_signals(struct control *c)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	/* And blocked to the process's end: a signal in its last steps must not change how it
	 * ended. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return ERR_SYS;
	c->signals.ready = on_signal;
	return loop_add_level(&c->worker->loop, &c->signals, fd);
}

/* ---- life ---- */

static void show_build(struct control *c)
{
	const char *labels[] = {WEIR_VERSION, __VERSION__};
	series_set(metrics_series(c->worker->env.metrics, GROUP_BUILD, labels), M_BUILD_INFO, 1);
	series_set(c->worker->process, M_START_TIME, clock_wall_ns());
}

static int make_workers(struct control *c, const struct control_setup *setup)
{
	uint32_t n = c->config->workers;
	struct worker_setup ws = {
		.filters = setup->filters,
		.admin_terminus = setup->admin_terminus,
	};
	c->shared = ws.shared = shared_create(n + 1);
	c->metrics = ws.metrics = metrics_create(c->config->limits.series_per_family);
	c->workers = ws.workers = mem_zalloc(n * sizeof(struct worker *));
	c->ends = mem_zalloc(n * sizeof(*c->ends));
	if (!c->shared || !c->metrics || !c->workers || !c->ends)
		return ERR_NOMEM;
	ws.worker_count = n;
	for (uint32_t i = 0; i < n; i++) {
		c->workers[i] = worker_create(&ws, i, false);
		if (!c->workers[i])
			return ERR_NOMEM;
		c->workers[i]->stopped = on_worker_stopped;
		c->workers[i]->stopped_arg = c;
		c->ends[i].letter.open = open_gone;
		c->worker_count++;
	}
	c->worker = worker_create(&ws, n, true);
	if (!c->worker)
		return ERR_NOMEM;
	c->worker->stopped_arg = c;
	c->gathers.box = &c->worker->box;
	c->gathers.wheel = &c->worker->loop.wheel;
	return 0;
}

static int start_workers(struct control *c)
{
	for (uint32_t i = 0; i < c->worker_count; i++) {
		if (worker_start(c->workers[i]) != 0)
			return ERR_SYS;
		c->running = ++c->started;
	}
	return 0;
}

struct control *control_create(const struct control_setup *setup)
{
	struct buf errors;
	buf_init(&errors);
	struct control *c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	c->signals.fd = -1;
	c->last_words = setup->last_words;
	c->file = mem_dup(setup->config_file, strlen(setup->config_file));
	c->sinks = sinks_create();
	c->config = c->sinks ? load(c, &errors) : NULL;
	if (!c->config) {
		fputs(errors.bytes ? errors.bytes : "", stderr);
		goto fail;
	}
	c->config->generation = 1;
	if (make_workers(c, setup) != 0 || watch_signals(c) != 0) {
		log_line(LOG_ERROR, "cannot start", "cause", strerror(errno), NULL);
		goto fail;
	}
	c->listeners = make_listeners(c, c->config, &c->listener_count);
	if (!c->listeners)
		goto fail;
	show_build(c);
	if (start_workers(c) != 0 || install_everywhere(c) != 0) {
		log_line(LOG_ERROR, "cannot start workers", "cause", strerror(errno), NULL);
		goto fail;
	}
	buf_fini(&errors);
	return c;
fail:
	buf_fini(&errors);
	control_destroy(c);
	return NULL;
}

int control_run(struct control *c)
{
	worker_run(c->worker);
	log_line(LOG_INFO, "drained, exiting", NULL);
	return 0;
}

void control_destroy(struct control *c)
{
	if (c->running > 0) { /* a start that failed half-way */
		order_drain(c, 0);
		worker_run(c->worker);
	}
	for (uint32_t i = 0; i < c->started; i++)
		pthread_join(c->workers[i]->thread, NULL);
	/* Letters between workers are opened by worker_destroy; none may be gone by then. */
	for (uint32_t i = 0; i < c->worker_count; i++)
		worker_destroy(c->workers[i]);
	if (c->signals.fd >= 0) {
		int fd = c->signals.fd;
		loop_del(&c->worker->loop, &c->signals);
		close(fd);
	}
	if (c->worker)
		worker_destroy(c->worker);
	uint64_t lost = sinks_destroy(c->sinks);
	if (lost) {
		char number[24];
		snprintf(number, sizeof(number), "%llu", (unsigned long long)lost);
		log_line(LOG_WARN, "outputs did not take all records", "lost", number, NULL);
	}
	unref_listeners(c->listeners, c->listener_count);
	config_unref(c->config);
	if (c->metrics)
		metrics_destroy(c->metrics);
	if (c->shared)
		shared_destroy(c->shared);
	mem_free(c->workers);
	mem_free(c->ends);
	mem_free(c->file);
	mem_free(c);
}
