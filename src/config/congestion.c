/* congestion.c - the names of TCP's congestion controls: which there are, and which of them a
 * process may use, only the kernel can say. */
#include "config/value.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"

/* The kernel cuts longer names off, and looks for a module of any name. */
static bool fit_to_ask(const char *text, size_t len)
{
	return len > 0 && len < CONFIG_CONGESTION_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
		       len;
}

bool value_congestion_control(const char *text, size_t len, struct value_fault *fault)
{
	*fault = (struct value_fault){.why = ""};
	if (!fit_to_ask(text, len))
		return false;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return value_fail(fault, strerror(errno));
	int err = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, text, (socklen_t)len) ? errno : 0;
	close(fd);
	if (err == 0)
		return true;
	return value_fail(fault, err == ENOENT  ? "the kernel has none of this name: see sysctl "
						  "net.ipv4.tcp_available_congestion_control"
				 : err == EPERM ? "not allowed to this process: see sysctl "
						  "net.ipv4.tcp_allowed_congestion_control"
						: strerror(err));
}
