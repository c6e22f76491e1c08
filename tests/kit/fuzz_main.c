/* fuzz_main.c - replays a corpus through a fuzz target without libFuzzer, in any build.
 *
 *   x_replay DIR...      runs LLVMFuzzerTestOneInput over every file of the folders, in order of
 * name
 *
 * Reports one TAP test a folder; an empty or missing folder fails. A finding aborts, as in the
 * fuzzer, after the file's name has been printed. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int is_file(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END))
		return -1;
	long len = ftell(f);
	/* an exact block, so that a sanitizer sees a read behind the input */
	uint8_t *bytes = len < 0 ? NULL : malloc(len ? (size_t)len : 1);
	rewind(f);
	if (!bytes || fread(bytes, 1, (size_t)len, f) != (size_t)len) {
		free(bytes);
		fclose(f);
		return -1;
	}
	fclose(f);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, (size_t)len);
	free(bytes);
	return 0;
}

/* How many files were run; -1 when one could not be read. */
static int replay_dir(const char *dir)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_file, alphasort), done = 0;
	for (int i = 0; i < n; i++) {
		char path[4096];
		int len = snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (done >= 0 && len > 0 && (size_t)len < sizeof(path))
			done = replay_file(path) ? -1 : done + 1;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return done;
}

int main(int argc, char **argv)
{
	int bad = argc < 2;
	puts("TAP version 13");
	for (int i = 1; i < argc; i++) {
		int n = replay_dir(argv[i]);
		const char *name = strrchr(argv[i], '/');
		printf("%s %d - the_corpus_of_%s_replays_without_a_finding\n",
			n > 0 ? "ok" : "not ok", i, name ? name + 1 : argv[i]);
		bad += n <= 0;
	}
	printf("1..%d\n", argc - 1);
	return bad > 0;
}
