/* page_main.c - prints a page for judges_test.py and prometheus_test.py.
 *
 *	metrics_page text|openmetrics|protobuf             with a sample of every family
 *	metrics_page text|openmetrics|protobuf NS [NS...]  with these times as gaps of messages */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "metrics/table.h"

static void fill(struct metrics_slab *slab, enum metric metric, unsigned variant)
{
	static const char *const odd[] = {
		"plain", "a \"quoted\" \\ value\n", "\xc3\xa9t\xc3\xa9", ""};
	const char *values[METRIC_LABELS_MAX];
	for (unsigned i = 0; i < METRIC_LABELS_MAX; i++)
		values[i] = odd[(variant + i) % 4];
	const struct metric_info *info = &metric_infos[metric];
	struct series *s = metrics_series(slab, info->group, values);
	const struct histogram_info *h = histogram_of(info->kind);
	if (!h)
		series_add(s, metric, metric * 1000003ull + variant);
	for (unsigned i = 0; h && i < h->count; i++)
		series_observe(s, metric, h->bounds[i] + i % 2);
}

static enum metrics_format format_called(const char *name)
{
	if (!strcmp(name, "text"))
		return METRICS_PROMETHEUS_TEXT;
	return strcmp(name, "protobuf") ? METRICS_OPENMETRICS : METRICS_PROTOBUF;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	struct metrics *m = metrics_create(1000);
	struct metrics_slab *slab = m ? metrics_slab_create(m) : NULL;
	if (!slab)
		return 1;
	for (unsigned i = 0; argc == 2 && i < METRIC_COUNT * 4; i++)
		fill(slab, i / 4, i % 4);
	struct series *gaps = metrics_series(
		slab, GROUP_TIMING, (const char *const[]){"in", "chat", "chat", "received"});
	for (int i = 2; i < argc; i++)
		series_observe_times(gaps, M_MESSAGE_GAP, strtoull(argv[i], NULL, 10), 1);
	struct buf page;
	buf_init(&page);
	metrics_render(m, format_called(argv[1]), &page);
	bool ok = !page.failed && fwrite(page.bytes, 1, page.len, stdout) == page.len;
	buf_fini(&page);
	metrics_destroy(m);
	return ok ? 0 : 1;
}
