/* tests/config/bad/: each NAME.yaml is refused with exactly the lines that stand behind "#! " in it
 * (in NAME.err, for texts that can't hold a comment), in front of which is the file's name. */
#include <dirent.h>

#include "config/config.h"
#include "tap.h"

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 16);
	if (!f || !text || fread(text, 1, (1 << 16) - 1, f) == 0) {
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

/* What the file says it should be answered. */
static void expected_errors(const char *dir, const char *name, struct buf *out)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%.*s.err", dir, (int)(strlen(name) - 5), name);
	char *text = slurp(path);
	if (!text) {
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		text = slurp(path);
	}
	for (char *line = text ? strtok(text, "\n") : NULL; line; line = strtok(NULL, "\n"))
		if (!strncmp(line, "#! ", 3))
			buf_fmt(out, "%s/%s:%s\n", dir, name, line + 3);
	buf_str(out, "");
	free(text);
}

static void check_file(const char *dir, const char *name)
{
	char path[512];
	struct buf want, got;
	buf_init(&want);
	buf_init(&got);
	expected_errors(dir, name, &want);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	struct config *c = config_load(path, &got);
	buf_str(&got, "");
	if (c || !want.len || strcmp(got.bytes, want.bytes)) {
		tap_failures++;
		printf("# %s: got\n# %s\n# expected\n# %s\n", name, c ? "no error" : got.bytes,
			want.bytes);
	}
	config_unref(c);
	buf_fini(&want);
	buf_fini(&got);
}

TEST(each_bad_configuration_gets_exactly_its_errors)
{
	DIR *dir = opendir(CONFIG_BAD_DIR);
	unsigned files = 0;
	REQUIRE(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		size_t len = strlen(e->d_name);
		if (len < 6 || strcmp(e->d_name + len - 5, ".yaml"))
			continue;
		check_file(CONFIG_BAD_DIR, e->d_name);
		files++;
	}
	closedir(dir);
	printf("# %u files\n", files);
	CHECK(files >= 190);
}

TAP_MAIN()
