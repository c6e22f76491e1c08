/* accept.h - which of the metrics formats a client prefers (RFC 9110 12.5.1). */
#ifndef WEIR_ADMIN_ACCEPT_H
#define WEIR_ADMIN_ACCEPT_H
#include "http/fields.h"
#include "metrics/metrics.h"

/* Protobuf when it is named with proto=io.prometheus.client.MetricFamily and encoding=delimited,
 * not with q=0, and no other of the three is preferred; else OpenMetrics when it is named (1.0.0,
 * or without a version), not with q=0, and no less than text; the older text otherwise, also when
 * neither is acceptable: a page in the wrong format tells more than a 406. */
enum metrics_format accept_metrics_format(const struct fields *head);
#endif
