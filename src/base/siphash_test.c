/* The expected values come from two implementations nobody here wrote: the reference one (key 0, 1
 * .. 15, of no, one, two and three bytes) and CPython 3.11's string hash, which is SipHash-1-3
 * under a key made from PYTHONHASHSEED. */
#include "base/map.h"
#include "tap.h"

static uint8_t message[256];

static void fill_message(void)
{
	for (int i = 0; i < 256; i++)
		message[i] = (uint8_t)i;
}

TEST(siphash_1_3_agrees_with_the_reference_implementation)
{
	static const uint64_t want[] = {
		0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu};
	fill_message();
	for (size_t len = 0; len < 4; len++)
		CHECK(siphash13(message, message, len) == want[len]);
}

static const size_t lengths[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 63, 64, 255};
static const struct {
	uint8_t key[16];
	uint64_t hash[16];
} python[] = {
	{{0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		 0x00},
		{0x68a914128e01e473u, 0x010bac45c41e3669u, 0x4d4c9a4a8ef6e0adu, 0x7cc43f98813e4dbdu,
			0x5abe2169dff36275u, 0xe3c25f87624f1cdbu, 0x2f098ab0c751325au,
			0xead411e67ebe2eeau, 0x75927f9d95124362u, 0xf30eb725bb91c9eau,
			0x8972188433a5c5b7u, 0x4883c49a2c009c1du, 0x169739443111d49bu,
			0x385d3e39e5f37359u, 0x75e05fd5bbc870c6u, 0x5dc1f93ea135eb43u}},
	{{0x29, 0x23, 0xbe, 0x84, 0xe1, 0x6c, 0xd6, 0xae, 0x52, 0x90, 0x49, 0xf1, 0xf1, 0xbb, 0xe9,
		 0xeb},
		{0xecd3e5afcecda4b9u, 0xbf360f1ea1745965u, 0x8d5b20ab227ba858u, 0x968a3280faeeb716u,
			0xbbda3b5f513c3d69u, 0xa77f099d6ffed90eu, 0xfd15e78052a69ddfu,
			0xc0b5739e7e28dd01u, 0x208a1a5a0cbbf778u, 0xfa87985f39e97a53u,
			0x12e9d283f9f37002u, 0x9f5bb4237f61907fu, 0xb8c17103f21d8810u,
			0x542052345bc68274u, 0x7e644b6edc375dc8u, 0x523ab5ebe2e15f94u}},
	{{0x43, 0x9b, 0xdd, 0x25, 0x4f, 0x39, 0xf6, 0x41, 0x08, 0x2d, 0x03, 0xa2, 0x8d, 0xe4, 0x4a,
		 0xc6},
		{0x0be90115f17947fcu, 0x645cd01f4aaddf75u, 0xff6fb4f118a9bc66u, 0xe73931e6d2887c53u,
			0x76aba1546f9c5488u, 0x1b8c0317c9360427u, 0x3127c68d1a3289e7u,
			0x6637a1db477ceb2au, 0xe555c68924bf2133u, 0x7ed69d60c8f198a4u,
			0x42da0557745d64dbu, 0x91800ac89de4f2dcu, 0xccd87f673f91302bu,
			0xa76bcb2b3279e9a8u, 0x95c918c063bf9a7cu, 0xdbf688c2bd73bb00u}}};

TEST(siphash_1_3_agrees_with_cpython_under_several_keys)
{
	fill_message();
	for (size_t k = 0; k < sizeof(python) / sizeof(python[0]); k++)
		for (int i = 0; i < 16; i++)
			CHECK(siphash13(python[k].key, message, lengths[i]) == python[k].hash[i]);
}

TEST(siphash_does_not_care_where_the_bytes_lie)
{
	uint8_t moved[80];
	fill_message();
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; len < 70; len++) {
			memcpy(moved + at, message, len);
			CHECK(siphash13(message, moved + at, len) ==
				siphash13(message, message, len));
		}
	}
}

TAP_MAIN()
