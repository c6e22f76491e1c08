#include "proxy/outputs.h"
#include <errno.h>
#include <string.h>
#include "base/log.h"

static struct sink *open_one(struct sinks *all, const char *key, const char *path, int *err)
{
	struct sink *s = sink_open(all, strcmp(path, "stderr") ? path : NULL);
	if (!s) {
		*err = ERR_SYS;
		log_line(LOG_ERROR, "cannot open an output", "key", key, "output", path, "cause",
			errno == ENOSPC ? "too many outputs" : strerror(errno), NULL);
	}
	return s;
}

int outputs_open(struct sinks *all, struct config *config)
{
	int err = 0;
	uint8_t sampled = 0;
	for (uint32_t i = 0; i < config->route_count; i++)
		sampled |= config->routes[i].sample.outputs;
	if (sampled & SAMPLE_TO_LOG)
		config->sampling.log_sink = open_one(all, "sample.to", "stderr", &err);
	if (sampled & SAMPLE_TO_FILE)
		config->sampling.file_sink =
			open_one(all, "sampling.file", config->sampling.file, &err);
	if (config->access_log.path)
		config->access_log.sink =
			open_one(all, "access_log.path", config->access_log.path, &err);
	return err;
}

static void publish(void *ctx, const char *path, const struct sink_stats *stats)
{
	const char *labels[] = {path};
	struct series *s = metrics_series(ctx, GROUP_OUTPUT, labels);
	series_set(s, M_OUTPUT_RECORDS, stats->records);
	series_set(s, M_OUTPUT_BYTES, stats->bytes);
	series_set(s, M_OUTPUT_DROPPED, stats->dropped);
	series_set(s, M_OUTPUT_ERRORS, stats->errors);
	series_set(s, M_OUTPUT_WAITING, stats->waiting_bytes);
}

void outputs_publish(struct sinks *all, struct metrics_slab *slab)
{
	sinks_each(all, publish, slab);
}
