/* main.c - wires the rooms; the only file that sees them all. */
#include <malloc.h>
#include <stdio.h>
#include "admin/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "cli/cli.h"
#include "filter/accesslog.h"
#include "filter/body_status.h"
#include "filter/count.h"
#include "filter/sample.h"
#include "proxy/control.h"

/* The order in which a request passes them; a response passes them the other way. */
static const struct call_filter *const filters[] = {
	&filter_accesslog,
	&filter_count,
	&filter_body_status,
	&filter_sample,
	NULL,
};

/* A slab is a mapping of its own, which goes when it is freed. Left alone, the C library takes the
 * first one that is freed as a sign that such sizes come and go, and cuts the next from the heap,
 * where it stays and small things come to lie behind it. */
static void set_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, SLAB_BYTES / 2);
}

static int run(const struct run_options *options)
{
	set_heap();
	struct control_setup setup = {
		.config_file = options->config_file,
		.filters = filters,
		.admin_terminus = &admin_terminus,
		.last_words = admin_last_words,
	};
	log_set_level(options->log_level);
	struct control *control = control_create(&setup);
	if (!control)
		return 1;
	const struct introspect views[] = {
		{&view_streams, control},
		{&view_connections, control},
		{&view_clusters, control},
		{&view_routes, control},
		{&view_samples, control},
		{NULL, NULL},
	};
	struct admin_hooks hooks = {
		.arg = control,
		.refresh = control_refresh,
		.metrics = control_metrics(control),
		.config = control_config,
		.ready = control_ready,
		.live = control_live,
		.drain = control_drain,
		.views = views,
		.wheel = control_wheel(control),
		.started_ns = clock_mono_ns(),
	};
	admin_init(&hooks);
	int code = control_run(control);
	control_destroy(control);
	return code;
}

int main(int argc, char **argv)
{
	return cli_main(argc, argv, run);
}
