/* Memory that begins with a boundary. Control threads. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/util.h"

#include <stdlib.h>
#include <string.h>

/* Zeros, aligned to align (a power of two); free() takes it. NULL without memory. */
static inline void *mem_zalloc(size_t align, size_t size)
{
	size_t rounded = (size + align - 1) & ~(align - 1);
	void *p = aligned_alloc(align, rounded);

	if (p) {
		memset(p, 0, rounded);
	}
	return p;
}

#endif
