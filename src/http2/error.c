#include "http2/error.h"

struct fault_row {
	enum h2_code code;
	enum h2_scope scope;
	const char *name, *text;
};

static const struct fault_row faults[H2_FAULT_COUNT] = {
#define H2_FAULT(id, code, scope, text) [H2_FAULT_##id] = {H2_##code, H2_SCOPE_##scope, #id, text},
#include "http2/error.def"
#undef H2_FAULT
};

static const char *const code_names[H2_CODE_COUNT] = {"NO_ERROR", "PROTOCOL_ERROR",
	"INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
	"ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"};

enum h2_code h2_fault_code(enum h2_fault f)
{
	return f < H2_FAULT_COUNT ? faults[f].code : H2_NO_ERROR;
}

enum h2_scope h2_fault_scope(enum h2_fault f)
{
	return f < H2_FAULT_COUNT ? faults[f].scope : H2_SCOPE_STREAM;
}

const char *h2_fault_text(enum h2_fault f)
{
	return f < H2_FAULT_COUNT ? faults[f].text : "none";
}

/* The ids are upper case in C and lower case as labels: lowered once, on the first question. */
const char *h2_fault_name(enum h2_fault f)
{
	static _Thread_local char names[H2_FAULT_COUNT][24];
	if (f >= H2_FAULT_COUNT)
		return "none";
	char *out = names[f];
	if (!out[0]) {
		for (unsigned i = 0; faults[f].name[i] && i < sizeof(names[0]) - 1; i++) {
			char ch = faults[f].name[i];
			out[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
		}
	}
	return out;
}

const char *h2_code_name(uint32_t code)
{
	return code < H2_CODE_COUNT ? code_names[code] : "UNKNOWN";
}
