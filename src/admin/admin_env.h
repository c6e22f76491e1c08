/* admin_env.h - what calls of the admin address live in, for the tests of this room: one worker's
 * environment with one configuration, and no more. */
#ifndef WEIR_ADMIN_ADMIN_ENV_H
#define WEIR_ADMIN_ADMIN_ENV_H
#include "base/mem.h"
#include "base/rand.h"
#include "call/call.h"
#include "tap.h"

static struct call_env env;
static struct rand randomness;
static struct metrics *metrics;
static struct config *config;
static struct call_generation generation;
static struct config_listener listener = {.name = (char *)"admin"};

/* `limits`: the rest of that line of the configuration. */
static inline void env_begin(const char *limits)
{
	char text[512];
	struct buf errors;
	int len = snprintf(text, sizeof text,
		"listeners: [{name: in, address: \"127.0.0.1:8080\"}]\n"
		"routes: [{name: r, cluster: c}]\n"
		"limits: %s\n"
		"clusters: [{name: c, endpoints: [\"127.0.0.1:9000\"]}]\n",
		limits);
	buf_init(&errors);
	config = config_parse("weir.yaml", text, (size_t)len, &errors);
	if (!config)
		printf("# %s\n", errors.bytes);
	buf_fini(&errors);
	generation = (struct call_generation){.config = config};
	rand_seed(&randomness, 1);
	call_env_init(&env);
	metrics = metrics_create(1000);
	env.metrics = metrics_slab_create(metrics);
	env.rand = &randomness;
}

static inline void env_end(void)
{
	CHECK_EQ(env.calls, 0);
	call_env_fini(&env);
	metrics_destroy(metrics);
	config_unref(config);
}

/* A front may give credit for what it never sent on, and have nothing to drop. */
static inline void front_ignores_credit(struct call *c, uint32_t bytes)
{
}
static inline void front_drops_nothing(struct call *c)
{
}
#endif
