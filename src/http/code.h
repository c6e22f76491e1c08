/* code.h - error codes of RST_STREAM and GOAWAY (RFC 9113 section 7): how a call's ends tell each
 * other why a stream is no more, whatever protocol they speak. */
#ifndef WEIR_HTTP_CODE_H
#define WEIR_HTTP_CODE_H

enum h2_code {
	H2_NO_ERROR = 0x0,
	H2_PROTOCOL_ERROR = 0x1,
	H2_INTERNAL_ERROR = 0x2,
	H2_FLOW_CONTROL_ERROR = 0x3,
	H2_SETTINGS_TIMEOUT = 0x4,
	H2_STREAM_CLOSED = 0x5,
	H2_FRAME_SIZE_ERROR = 0x6,
	H2_REFUSED_STREAM = 0x7,
	H2_CANCEL = 0x8,
	H2_COMPRESSION_ERROR = 0x9,
	H2_CONNECT_ERROR = 0xa,
	H2_ENHANCE_YOUR_CALM = 0xb,
	H2_INADEQUATE_SECURITY = 0xc,
	H2_HTTP_1_1_REQUIRED = 0xd,
	H2_CODE_COUNT = 0xe, /* codes from here on are counted as one */
};
#endif
