/* event.c - releasing an event that goes nowhere. */
#include "http/event.h"

void event_drop(struct event *ev)
{
	fields_destroy(ev->fields);
	slice_drop(&ev->data);
	*ev = (struct event){.kind = ev->kind};
}
