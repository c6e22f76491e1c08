/* docs/reference.md and the examples say what config.def says. */
#include <fcntl.h>
#include <unistd.h>

#include "config/read.h"
#include "tap.h"

static char *slurp(const char *path)
{
	enum { MOST = 1 << 20 };
	char *text = calloc(1, MOST);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 && text ? read(fd, text, MOST - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (n > 0)
		return text;
	free(text);
	return NULL;
}

/* | `limits.memory` | size, 1MiB to 1TiB | `512MiB` | help | */
static void row(const struct key *k, struct buf *out)
{
	char range[KEY_RANGE_MAX];
	const char *path = section_paths[k->section];
	bool literal = k->need == NEED_DEFAULT;
	key_range(k, range);
	buf_fmt(out, "| `%s%s%s` | %s%s%s | %s%s%s | %s |", path, *path ? "." : "", k->name,
		k->type->name, *range ? ", " : "", range, literal ? "`" : "",
		k->need == NEED_REQUIRED ? "*required*" : k->dflt, literal ? "`" : "", k->help);
}

TEST(every_configuration_key_is_in_the_reference)
{
	char *text = slurp(REFERENCE);
	REQUIRE(text);
	for (uint32_t i = 0; i < config_key_count; i++) {
		struct buf want;
		buf_init(&want);
		row(&config_keys[i], &want);
		if (!strstr(text, want.bytes)) {
			tap_failures++;
			printf("# missing in docs/reference.md:\n# %s\n", want.bytes);
		}
		buf_fini(&want);
	}
	free(text);
}

TEST(every_row_of_the_reference_is_a_configuration_key)
{
	char *text = slurp(REFERENCE);
	REQUIRE(text);
	char *from = strstr(text, "\n## Configuration\n"), *end = NULL;
	REQUIRE(from);
	end = strstr(from + 1, "\n## ");
	REQUIRE(end);
	*end = '\0';
	uint32_t rows = 0;
	for (char *at = from; (at = strstr(at, "\n| `")); at++)
		rows++;
	CHECK_EQ(rows, config_key_count);
	free(text);
}

TEST(every_default_is_acceptable_and_every_section_small_enough)
{
	for (unsigned id = 0; id < SECTION_COUNT; id++) {
		uint32_t count;
		const struct key *keys = section_keys((enum section_id)id, &count);
		CHECK(count >= 1 && count <= SECTION_KEYS_MAX);
		for (uint32_t i = 0; i < count; i++)
			CHECK(keys[i].section == id && *keys[i].help);
	}
}

/* The text between ```yaml and ``` in the reference, one after the other. */
TEST(the_examples_in_the_reference_are_valid)
{
	char *text = slurp(REFERENCE), *at = text;
	unsigned examples = 0;
	REQUIRE(text);
	while ((at = strstr(at, "\n```yaml\n"))) {
		char *from = at + 9, *end = strstr(from, "\n```\n");
		struct buf errors;
		REQUIRE(end);
		buf_init(&errors);
		struct config *c = config_parse("example", from, (size_t)(end - from) + 1, &errors);
		if (!c) {
			tap_failures++;
			printf("# %s", errors.bytes);
		}
		config_unref(c);
		buf_fini(&errors);
		examples++;
		at = end;
	}
	CHECK(examples >= 1);
	free(text);
}

static void check_example(const char *file)
{
	struct buf errors;
	buf_init(&errors);
	struct config *c = config_load(file, &errors);
	if (!c) {
		tap_failures++;
		printf("# %s", errors.bytes);
	}
	config_unref(c);
	buf_fini(&errors);
}

TEST(the_sidecar_example_is_valid)
{
	check_example(EXAMPLES "/sidecar.yaml");
}

TEST(the_gateway_example_is_valid)
{
	check_example(EXAMPLES "/gateway.yaml");
}

TAP_MAIN()
