/* outputs.h - which sinks a configuration writes to, and what is told about them. Owner: control,
 * whose thread this is for. */
#ifndef WEIR_PROXY_OUTPUTS_H
#define WEIR_PROXY_OUTPUTS_H
#include "base/err.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "shared/sink.h"

/* Before `config` is installed anywhere: sets its sinks. ERR_SYS: one cannot be opened, said in the
 * log. */
int outputs_open(struct sinks *all, struct config *config) MUST_USE;
/* GROUP(OUTPUT). */
void outputs_publish(struct sinks *all, struct metrics_slab *slab);
#endif
