/* Any bytes as a configuration: a snapshot that keeps its promises, or errors. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_snapshot(const struct config *c)
{
	ASSERT(c->workers >= 1 && c->workers <= 256);
	ASSERT(c->listener_count && c->cluster_count && c->route_count);
	for (uint32_t i = 0; i < c->listener_count; i++)
		ASSERT(c->listeners[i].name && c->listeners[i].address.sa_len);
	for (uint32_t i = 0; i < c->cluster_count; i++) {
		ASSERT(c->clusters[i].name);
		for (uint32_t j = 0; j < c->clusters[i].endpoint_count; j++)
			ASSERT(c->clusters[i].endpoints[j].text);
	}
	for (uint32_t i = 0; i < c->route_count; i++) {
		const struct config_route *r = &c->routes[i];
		uint64_t sum = 0;
		ASSERT(r->name && r->backend_count);
		for (uint32_t j = 0; j < r->backend_count; j++) {
			ASSERT(r->backends[j].cluster < c->cluster_count);
			sum += r->backends[j].weight;
		}
		ASSERT(sum > 0 && sum == r->weight_sum);
		for (uint32_t j = 0; j < r->match.host_count; j++)
			ASSERT(r->match.hosts[j]);
		for (uint32_t j = 0; j < r->match.header_count; j++)
			ASSERT(r->match.headers[j].name &&
				!r->match.headers[j].value ==
					(r->match.headers[j].kind == MATCH_PRESENT));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf errors;
	buf_init(&errors);
	struct config *c = config_parse("f", (const char *)data, size, &errors);
	if (c)
		check_snapshot(c);
	else
		ASSERT(errors.len > 4 && !memcmp(errors.bytes, "f:", 2) &&
			errors.bytes[errors.len - 1] == '\n');
	config_unref(c);
	buf_fini(&errors);
	return 0;
}
