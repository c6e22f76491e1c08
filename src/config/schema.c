/* schema.c - the tables that config.def makes. */
#include <stddef.h>

#include "base/clock.h"
#include "config/read.h"

#define TYPE(id, name, expects, range) TYPE_##id,
#define SECTION(id, path, type)
#define KEY(section, name, type, member, need, dflt, min, max, help)
enum type_id {
#include "config/config.def"
};
#undef TYPE
#undef SECTION
#undef KEY

#define TYPE(id, name, expects, range) {name, expects, RANGE_##range, decode_##id},
#define SECTION(id, path, type)
#define KEY(section, name, type, member, need, dflt, min, max, help)
static const struct value_type types[] = {
#include "config/config.def"
};
#undef TYPE
#undef SECTION
#undef KEY

/* offsetof wants the struct of the key's section, which KEY does not repeat. */
#define OF_ROOT          struct config
#define OF_LISTENER      struct config_listener
#define OF_CLUSTER       struct config_cluster
#define OF_ROUTE         struct config_route
#define OF_MATCH         struct config_match
#define OF_METHOD        struct config_match
#define OF_PATH          struct config_match
#define OF_HEADER        struct config_header_match
#define OF_BACKEND       struct config_backend
#define OF_LIMITS        struct config_limits
#define OF_DRAIN         struct config
#define OF_SAMPLE        struct config_sample
#define OF_SAMPLE_HEADER struct config_header_match
#define OF_SAMPLING      struct config_sampling
#define OF_ACCESS_LOG    struct config_access_log

#define TYPE(id, name, expects, range)
#define SECTION(id, path, type)
#define KEY(section, name, type, member, need, dflt, min, max, help)                               \
	{SECTION_##section, #name, dflt, help, &types[TYPE_##type], NEED_##need, min, max,         \
		offsetof(OF_##section, member), sizeof(((OF_##section *)0)->member)},
const struct key config_keys[] = {
#include "config/config.def"
};
#undef TYPE
#undef SECTION
#undef KEY
const uint32_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

#define TYPE(id, name, expects, range)
#define SECTION(id, path, type) path,
#define KEY(section, name, type, member, need, dflt, min, max, help)
const char *const section_paths[SECTION_COUNT] = {
#include "config/config.def"
};
#undef TYPE
#undef SECTION
#undef KEY

const struct key *section_keys(enum section_id id, uint32_t *count)
{
	uint32_t first = 0;
	while (config_keys[first].section != id)
		first++;
	*count = 0;
	while (first + *count < config_key_count && config_keys[first + *count].section == id)
		++*count;
	return &config_keys[first];
}
