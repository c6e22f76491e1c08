/* dashboard.h - the files of src/admin/dashboard as one page, made by embed.py at build time.
 * Data only: any thread may read it. */
#ifndef WEIR_ADMIN_DASHBOARD_H
#define WEIR_ADMIN_DASHBOARD_H
#include <stddef.h>

extern const unsigned char dashboard_page[];
extern const size_t dashboard_page_len;
extern const char dashboard_policy[]; /* its Content-Security-Policy */
extern const char dashboard_etag[];
#endif
