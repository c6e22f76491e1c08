/* top_detail.h - one stream in words that a person understands: who, how much, what it waits for
 * and what that means; or one connection, field by field.
 *
 * Values may be missing (another version of Weir): they are shown as "-". Lines end in '\n' and
 * have styles (text.h). Errors: the buf's `failed`. */
#ifndef WEIR_CLI_TOP_DETAIL_H
#define WEIR_CLI_TOP_DETAIL_H
#include "cli/top_look.h"

/* `row` is of the look's table. */
void top_detail_stream(struct buf *out, const struct top_look *l, const struct table_row *row);
/* Every value of an object, NAME: VALUE. */
void top_detail_fields(struct buf *out, const json_t *object);
#endif
