#include "base/err.h"
#include "tap.h"

TEST(every_error_has_a_name_of_its_own)
{
	for (int e = ERR_SYS; e <= ERR_NONE; e++) {
		CHECK(strlen(err_name(e)) > 0);
		for (int other = ERR_SYS; other < e; other++)
			CHECK(strcmp(err_name(e), err_name(other)) != 0);
	}
	CHECK_STR(err_name(ERR_NOMEM), "out of memory");
}

TEST(numbers_that_are_no_error_have_a_name_too)
{
	CHECK_STR(err_name(17), "no error");
	CHECK_STR(err_name(-1000), "unknown error");
}

TAP_MAIN()
