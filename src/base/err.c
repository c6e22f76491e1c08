#include "base/err.h"

const char *err_name(int err)
{
	switch (err) {
	case ERR_NONE:
		return "no error";
	case ERR_NOMEM:
		return "out of memory";
	case ERR_AGAIN:
		return "would block";
	case ERR_CLOSED:
		return "closed by the peer";
	case ERR_RESET:
		return "connection aborted";
	case ERR_LIMIT:
		return "limit reached";
	case ERR_PROTOCOL:
		return "protocol error";
	case ERR_INVALID:
		return "invalid input";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_SYS:
		return "system call failed";
	default:
		return err > 0 ? "no error" : "unknown error";
	}
}
