/* Any bytes as a file of samples: in one piece and in pieces the same lines, or refused at the same
 * place; what is read is written and read again as the same. */
#include "base/assert.h"
#include "filter/sample_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_record(const uint8_t *bytes, size_t len)
{
	struct sample s, again;
	struct buf first, second;
	if (sample_decode(bytes, len, &s) != 0)
		return;
	buf_init(&first);
	buf_init(&second);
	sample_encode(&first, &s);
	ASSERT(sample_decode(first.bytes + 4, first.len - 4, &again) == 0);
	sample_encode(&second, &again);
	ASSERT(first.len == second.len && !memcmp(first.bytes, second.bytes, first.len));
	buf_fini(&first);
	buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, pieces;
	size_t used, taken = 0;
	int err = 0;
	buf_init(&whole);
	buf_init(&pieces);
	int want = sample_lines(data, size, &whole, &used);
	for (size_t end = 0; end <= size && err == 0; end++) {
		size_t n;
		err = sample_lines(data + taken, end - taken, &pieces, &n);
		taken += n;
	}
	ASSERT(err == want && taken == used);
	ASSERT(whole.len == pieces.len &&
		(!whole.len || !memcmp(whole.bytes, pieces.bytes, whole.len)));
	judge_record(data, size);
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
