/*
 * What a fuzz target has beside LLVMFuzzerTestOneInput(), for the main program of fuzz-main.c: where its corpus is, and how
 * inputs are made that get far.
 *
 * Ownership: buffers are the caller's. Threads: one.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the folder in tests/fuzz/corpus. */
extern const char fuzz_name[];
/* An input without faults, for some to be made in it. Its size. */
size_t fuzz_make(uint32_t *seed, uint8_t *data, size_t max);
/* Mends the checksums, after faults were made. */
void fuzz_mend(uint8_t *data, size_t size);

#endif
