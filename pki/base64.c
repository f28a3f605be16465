/* Base64 by table, one digit at a time: clear rather than fast, as it carries
 * keys and tokens, not traffic. OpenSSL's decoder is not used because it skips
 * white space and forgives padding, and a token must have one text only. */
#include "pki/base64.h"

static const char standard[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool encode(struct buffer *out, struct slice bytes, const char *digits, bool pad)
{
    const uint8_t *in = (const uint8_t *)bytes.data;
    size_t i = 0;

    if (bytes.size > SIZE_MAX / 2)
        return false;
    char *to = buffer_reserve(out, (bytes.size + 2) / 3 * 4);
    if (to == NULL)
        return bytes.size == 0;
    char *start = to;

    for (; i + 3 <= bytes.size; i += 3) {
        uint32_t bits = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *to++ = digits[bits >> shift & 63];
    }
    if (i < bytes.size) {
        bool two = bytes.size - i == 2;
        uint32_t bits = (uint32_t)in[i] << 16 | (two ? (uint32_t)in[i + 1] << 8 : 0);
        *to++ = digits[bits >> 18 & 63];
        *to++ = digits[bits >> 12 & 63];
        if (two)
            *to++ = digits[bits >> 6 & 63];
        if (pad) {
            if (!two)
                *to++ = '=';
            *to++ = '=';
        }
    }
    buffer_commit(out, (size_t)(to - start));
    return true;
}

static int digit_value(char c, bool is_url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (is_url ? '-' : '+'))
        return 62;
    if (c == (is_url ? '_' : '/'))
        return 63;
    return -1;
}

static bool decode(struct buffer *out, struct slice text, bool is_url)
{
    size_t size = text.size;

    if (!is_url) {
        if (size % 4 != 0)
            return false;
        if (size > 0 && text.data[size - 1] == '=')
            size--;
        if (size > 0 && size % 4 == 3 && text.data[size - 1] == '=')
            size--;
    }
    if (size % 4 == 1)
        return false;
    if (size == 0)
        return true;
    char *to = buffer_reserve(out, size / 4 * 3 + 3);
    if (to == NULL)
        return false;

    size_t made = 0;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < size; i++) {
        int value = digit_value(text.data[i], is_url);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            to[made++] = (char)(bits >> count & 255);
        }
    }
    if ((bits & ((1u << count) - 1)) != 0)
        return false;
    buffer_commit(out, made);
    return true;
}

bool base64_encode(struct buffer *out, struct slice bytes)
{
    return encode(out, bytes, standard, true);
}

bool base64url_encode(struct buffer *out, struct slice bytes)
{
    return encode(out, bytes, url, false);
}

bool base64_decode(struct buffer *out, struct slice text)
{
    return decode(out, text, false);
}

bool base64url_decode(struct buffer *out, struct slice text)
{
    return decode(out, text, true);
}
