/* samples - a file of samples as lines of JSON. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/verb.h"
#include "filter/sample_record.h"

/* A record that is not whole fits, whatever it says. */
#define INPUT_BYTES (SAMPLE_LENGTH_BYTES + SAMPLE_RECORD_BYTES_MAX)

struct input {
	const char *name;
	int fd;
	char *bytes;
	size_t len;     /* in `bytes`, not taken yet */
	uint64_t taken; /* of the file */
};

static int fail(const struct input *in, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "weir samples: %s: %s\n", in->name, why);
	return CLI_FAILED;
}

static int fail_at(const struct input *in, const char *why)
{
	char text[96];
	snprintf(text, sizeof text, "byte %llu: %s", (unsigned long long)in->taken, why);
	return fail(in, text);
}

static int print_records(struct input *in)
{
	struct buf lines;
	size_t used;
	buf_init(&lines);
	int err = sample_lines(in->bytes, in->len, &lines, &used);
	bool failed = lines.failed;
	if (lines.len && !failed)
		fwrite(lines.bytes, 1, lines.len, stdout);
	buf_fini(&lines);
	if (failed)
		return fail(in, "out of memory");
	in->taken += used;
	in->len -= used;
	memmove(in->bytes, in->bytes + used, in->len);
	return err ? fail_at(in, "this is no record of a sample") : CLI_OK;
}

static int print_all(struct input *in)
{
	for (;;) {
		ssize_t n = read(in->fd, in->bytes + in->len, INPUT_BYTES - in->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(in, strerror(errno));
		if (n == 0)
			return in->len ? fail_at(in, "the file ends inside a record") : CLI_OK;
		in->len += (size_t)n;
		int status = print_records(in);
		if (status != CLI_OK)
			return status;
		if (ferror(stdout))
			return fail(in, "cannot write to standard output");
	}
}

static int samples(const struct verb *v, const struct verb_args *args)
{
	struct input in = {.name = args->word};
	if (!args->word)
		return verb_usage_error(v, "FILE is missing");
	in.fd = open(args->word, O_RDONLY | O_CLOEXEC);
	if (in.fd < 0)
		return fail(&in, strerror(errno));
	in.bytes = mem_alloc(INPUT_BYTES);
	int status = in.bytes ? print_all(&in) : fail(&in, "out of memory");
	mem_free(in.bytes);
	close(in.fd);
	return status;
}

const struct verb verb_samples = {
	.name = "samples",
	.summary = "print a file of sampled messages as lines of JSON",
	.text = "Reads what routes with `sample: {to: [file]}` put into sampling.file. Exits with "
		"1 "
		"where the file is damaged\n"
		"or ends inside a record, behind the lines of what comes before.\n",
	.word = "FILE",
	.main = samples,
};
