/* token_test.c - every name finds itself, nothing else finds anything. */
#include "base/rand.h"
#include "http/token.h"
#include "tap.h"

static const char *const names[] = {
#define TOKEN(id, name, flags) name,
#include "http/token.def"
#undef TOKEN
};

/* The slow, obvious way to do it. */
static enum token find_slowly(const char *name, size_t len)
{
	for (unsigned t = 0; t < TOKEN_COUNT; t++)
		if (strlen(names[t]) == len && !memcmp(names[t], name, len))
			return (enum token)t;
	return TOKEN_OTHER;
}

TEST(every_token_name_finds_itself)
{
	for (unsigned t = 0; t < TOKEN_COUNT; t++) {
		CHECK_EQ(token_find(names[t], strlen(names[t])), t);
		CHECK_STR(token_name((enum token)t), names[t]);
		CHECK_EQ(token_name_len((enum token)t), strlen(names[t]));
	}
	CHECK_STR(token_name(TOKEN_OTHER), "");
	CHECK_EQ(token_name_len(TOKEN_OTHER), 0);
	CHECK_EQ(token_flags(TOKEN_OTHER), 0);
}

TEST(near_misses_of_every_token_name_find_nothing_else)
{
	for (unsigned t = 0; t < TOKEN_COUNT; t++) {
		char name[64];
		size_t len = strlen(names[t]);
		for (size_t cut = 0; cut < len; cut++) /* every prefix, the empty one included */
			CHECK_EQ(token_find(names[t], cut), find_slowly(names[t], cut));
		for (size_t at = 0; at < len; at++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				memcpy(name, names[t], len);
				name[at] = (char)byte;
				CHECK_EQ(token_find(name, len), find_slowly(name, len));
			}
		}
		for (unsigned byte = 0; byte < 256; byte++) {
			memcpy(name, names[t], len);
			name[len] = (char)byte;
			CHECK_EQ(token_find(name, len + 1), find_slowly(name, len + 1));
		}
	}
}

TEST(names_are_case_sensitive_because_http2_names_are_lower_case)
{
	CHECK_EQ(token_find("Content-Type", 12), TOKEN_OTHER);
	CHECK_EQ(token_find("content-type", 12), TOKEN_CONTENT_TYPE);
}

TEST(random_names_agree_with_a_linear_search)
{
	struct rand r;
	rand_seed(&r, 7);
	static const char alphabet[] = ":-abcdeghiopqrstuvx0";
	for (int round = 0; round < 200000; round++) {
		char name[40];
		size_t len = rand_below(&r, sizeof(name) + 1);
		for (size_t i = 0; i < len; i++)
			name[i] = alphabet[rand_below(&r, sizeof(alphabet) - 1)];
		CHECK_EQ(token_find(name, len), find_slowly(name, len));
	}
}

TEST(pseudo_headers_come_first_and_are_flagged)
{
	bool over = false;
	for (unsigned t = 0; t < TOKEN_COUNT; t++) {
		bool pseudo = names[t][0] == ':';
		CHECK_EQ(!!(token_flags((enum token)t) & TF_PSEUDO), pseudo);
		CHECK(!(over && pseudo));
		over = !pseudo;
	}
}

TEST(connection_specific_and_secret_names_are_flagged)
{
	static const enum token hop[] = {TOKEN_CONNECTION, TOKEN_KEEP_ALIVE, TOKEN_PROXY_CONNECTION,
		TOKEN_TRANSFER_ENCODING, TOKEN_UPGRADE};
	static const enum token secret[] = {
		TOKEN_AUTHORIZATION, TOKEN_PROXY_AUTHORIZATION, TOKEN_SET_COOKIE};
	for (size_t i = 0; i < sizeof(hop) / sizeof(*hop); i++)
		CHECK(token_flags(hop[i]) & TF_HOP);
	for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
		CHECK(token_flags(secret[i]) & TF_SECRET);
	CHECK(!(token_flags(TOKEN_TE) & TF_HOP)); /* "te: trailers" is allowed, RFC 9113 8.2.2 */
	CHECK(token_flags(TOKEN_TE) & TF_SINGLE);
	CHECK(token_flags(TOKEN_GRPC_TIMEOUT) & TF_NO_INDEX);
	CHECK(token_flags(TOKEN_X_REQUEST_ID) & TF_NO_INDEX);
}

TAP_MAIN()
