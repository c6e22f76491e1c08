/* match.h - does a request's head meet a condition of the configuration? Owner: none. Threads: any.
 */
#ifndef WEIR_CALL_MATCH_H
#define WEIR_CALL_MATCH_H
#include "config/config.h"
#include "http/fields.h"

/* Any of several fields of that name may. */
bool match_header(const struct config_header_match *h, const struct fields *head);
#endif
