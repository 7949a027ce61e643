/*
 * bytes: bounded cursors over byte strings, the only way in which this project
 * reads or writes wire formats. Integers are big-endian.
 *
 * A cursor that failed once stays failed and yields zeros, so that a decoder
 * can read all its fields and check once at the end.
 */
#ifndef PAMTUNNEL_BASE_BYTES_H
#define PAMTUNNEL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

/* The data must outlive the reader. */
struct reader reader_over(const void *data, size_t len);
/* 0 on failure. */
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
/* Returns a pointer into the data, or NULL (and fails) if fewer are left. */
const uint8_t *read_bytes(struct reader *r, size_t len);
/* Copies len bytes; zero-fills dst on failure. */
void read_copy(struct reader *r, void *dst, size_t len);
/*
 * Reads a string with a 16-bit length in front into dst (cap bytes, including the NUL that is
 * added). Fails if it does not fit, is not UTF-8 (JSON would refuse it) or holds characters that
 * nobody sees (utf8.h); dst is then empty.
 */
void read_string(struct reader *r, char *dst, size_t cap);
/* True if nothing failed and nothing is left over: either is an error in a message. */
bool reader_is_done(const struct reader *r);

struct writer {
    uint8_t *at;
    size_t left;
    bool failed;
};

/* Writes at most cap bytes; how many is cap - left. */
struct writer writer_over(void *data, size_t cap);
void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_u64(struct writer *w, uint64_t value);
void write_bytes(struct writer *w, const void *data, size_t len);
/* Writes a 16-bit length and the string without its NUL. Fails above 65535 bytes. */
void write_string(struct writer *w, const char *text);

#endif
