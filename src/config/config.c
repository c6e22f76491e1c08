#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"
#include "config/read.h"

enum { WORKERS_MAX = 256, ARENA_CHUNK_BYTES = 8192, SCRATCH_CHUNK_BYTES = 65536 };

/* A snapshot and its memory are one block and its arena. */
struct holder {
	struct config config;
	struct arena arena;
};

/* The CPUs that this process may run on: fewer than the machine's in a container with a CPU set. */
static uint32_t cpu_count(void)
{
	cpu_set_t set;
	long n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
							      : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (uint32_t)n;
}

static struct holder *holder_create(const char *file, const char *text, size_t len)
{
	struct holder *h = mem_zalloc(sizeof(*h));
	if (!h)
		return NULL;
	arena_init(&h->arena, NULL, 0, ARENA_CHUNK_BYTES);
	atomic_init(&h->config.refs, 1);
	h->config.arena = &h->arena;
	h->config.file = arena_dup(&h->arena, file, strlen(file));
	h->config.text = arena_dup(&h->arena, text, len);
	if (!h->config.file || !h->config.text) {
		config_unref(&h->config);
		return NULL;
	}
	return h;
}

static void out_of_memory(const char *file, struct buf *errors)
{
	buf_fmt(errors, "%s: out of memory\n", file);
}

/* Text -> tree -> snapshot; false: the report says why, or no_memory. */
static bool read_text(struct reader *r, const char *text, size_t len)
{
	struct node *root = tree_parse(text, len, &r->scratch, &r->report, &r->no_memory);
	if (!root)
		return false;
	(void)read_section(r, NULL, root, SECTION_ROOT, r->config);
	if (!r->config->workers)
		r->config->workers = cpu_count();
	return r->report.count == 0 && !r->no_memory;
}

struct config *config_parse(const char *file, const char *text, size_t len, struct buf *errors)
{
	struct config *made = NULL;
	struct reader *r = mem_zalloc(sizeof(*r));
	/* A text above the limit is not copied: tree_parse refuses it. */
	struct holder *h = holder_create(file, text, len > CONFIG_TEXT_MAX ? 0 : len);
	if (!r || !h) {
		out_of_memory(file, errors);
		goto out;
	}
	report_init(&r->report, file);
	arena_init(&r->scratch, NULL, 0, SCRATCH_CHUNK_BYTES);
	r->config = &h->config;
	r->arena = &h->arena;
	if (read_text(r, text, len))
		made = config_ref(&h->config);
	else if (r->no_memory || r->report.failed)
		out_of_memory(file, errors);
	else
		report_print(&r->report, errors);
	report_fini(&r->report);
	arena_fini(&r->scratch);
out:
	config_unref(h ? &h->config : NULL);
	mem_free(r);
	return made;
}

struct config *config_load(const char *file, struct buf *errors)
{
	struct config *made = NULL;
	/* One byte more than allowed, so that a longer file shows. */
	size_t cap = CONFIG_TEXT_MAX + 1, len = 0;
	ssize_t n = 1;
	char *text = mem_alloc(cap);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int why = errno;

	if (!text) {
		out_of_memory(file, errors);
		goto out;
	}
	while (fd >= 0 && n > 0 && len < cap) {
		n = read(fd, text + len, cap - len);
		why = errno;
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && why == EINTR)
			n = 1;
	}
	if (fd < 0 || n < 0)
		buf_fmt(errors, "%s: cannot be read: %s\n", file, strerror(why));
	else
		made = config_parse(file, text, len, errors);
out:
	if (fd >= 0)
		close(fd);
	mem_free(text);
	return made;
}

struct config *config_ref(struct config *c)
{
	ASSERT(atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed) > 0);
	return c;
}

void config_unref(struct config *c)
{
	if (!c)
		return;
	uint32_t before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
	ASSERT(before > 0);
	if (before > 1)
		return;
	struct holder *h = CONTAINER_OF(c, struct holder, config);
	arena_fini(&h->arena);
	mem_free(h);
}
