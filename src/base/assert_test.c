#include "base/assert.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

/* Runs `job` in a child with stderr in `said`; its wait status. */
static int run_child(void (*job)(void), char *said, size_t size)
{
	int fds[2], status = -1;
	size_t len = 0;
	ssize_t n;
	fflush(stdout);
	if (pipe(fds) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		job();
		_exit(0);
	}
	close(fds[1]);
	while (len < size - 1 && (n = read(fds[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return status;
}

static void break_one(void)
{
	int zero = 0;
	signal(SIGABRT, SIG_DFL);
	ASSERT(zero == 1);
}

static void keep_one(void)
{
	int one = 1;
	ASSERT(one == 1);
}

TEST(a_broken_invariant_aborts_and_says_where)
{
	char said[512];
	int status = run_child(break_one, said, sizeof(said));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK(strstr(said, "assert_test.c:") && strstr(said, "broken invariant: zero == 1"));
}

TEST(a_kept_invariant_costs_nothing_and_says_nothing)
{
	char said[512];
	int status = run_child(keep_one, said, sizeof(said));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK_STR(said, "");
}

TEST(a_debug_invariant_is_not_evaluated_in_release)
{
	int evaluated = 0;
	DEBUG_ASSERT(++evaluated > 0);
	CHECK_EQ(evaluated, WEIR_DEBUG);
}

TAP_MAIN()
