/* bare_main.c - weir with an empty chain: what a message costs when nobody counts it. Its only use
 * is to be compared with the real one: ratchet_bare CONFIG. */
#include <stddef.h>
#include "base/log.h"
#include "proxy/control.h"

/* src/main.c's chain without count. */
static const struct call_filter *const filters[] = {NULL};

int main(int argc, char **argv)
{
	struct control_setup setup = {.config_file = argv[1], .filters = filters};
	if (argc != 2)
		return 2;
	log_set_level(LOG_WARN);
	struct control *control = control_create(&setup);
	if (!control)
		return 1;
	int code = control_run(control);
	control_destroy(control);
	return code;
}
