#include "daemon/memory.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A box answers within a second or so. Where that takes longer, or other programs come meanwhile, there is more to give back later. */
#define RELEASE_NS (1200 * NSEC_PER_MSEC)
#define AGAIN_NS (3 * NSEC_PER_SEC)

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* from Linux 5.18 on */
#endif

/*
 * The start runs through much of these once, and then they are in the way: libdb is JACK's for the metadata of ports,
 * libsystemd's for its journal are never called. In none of them runs a thread that must not wait for a page, be it the
 * audio server's, NetVST's or the one that sends. A library that is not named here stays as it is.
 */
static const char *const idle_libraries[] = {
	"libcap.so.",
	"libdb-",
	"libgcrypt.so.",
	"libgpg-error.so.",
	"libinih.so.",
	"liblz4.so.",
	"liblzma.so.",
	"libsystemd.so.",
	"libzstd.so.",
};
/* Runs in the realtime thread where it is used. */
static const char pipewire_library[] = "libpipewire-0.3.so.";

struct release {
	bool pipewire;
	uintptr_t page;
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_idle(const char *path, bool pipewire)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (begins(name, pipewire_library)) {
		return !pipewire;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(idle_libraries); i++) {
		if (begins(name, idle_libraries[i])) {
			return true;
		}
	}
	return false;
}

/* The linker has written into the code: what the file has instead is not the same. */
static bool is_relocated(const struct dl_phdr_info *info)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Dyn) * dyn;

		if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) {
			continue;
		}
		dyn = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
		for (; dyn->d_tag != DT_NULL; dyn++) {
			if (dyn->d_tag == DT_TEXTREL ||
				(dyn->d_tag == DT_FLAGS && (dyn->d_un.d_val & DF_TEXTREL) != 0)) {
				return true;
			}
		}
	}
	return false;
}

/* Pages of a file that nobody can have written to: they are read again, mostly from the kernel's cache, when they are needed. */
static void drop(const struct release *r, uintptr_t begin, uintptr_t end)
{
	begin = (begin + r->page - 1) & ~(r->page - 1);
	end &= ~(r->page - 1);
	if (begin < end && madvise((void *)begin, end - begin, MADV_DONTNEED_LOCKED) < 0 && errno == EINVAL) {
		(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
}

static int release_library(struct dl_phdr_info *info, size_t size, void *data)
{
	const struct release *r = data;

	if (!info->dlpi_name || !is_idle(info->dlpi_name, r->pipewire) || is_relocated(info)) {
		return 0;
	}
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

		/* What the linker makes read-only later (PT_GNU_RELRO) is of a segment that can be written to. */
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0) {
			drop(r, begin, begin + segment->p_filesz);
		}
	}
	return 0;
}

void memory_release(bool pipewire)
{
	struct release r = {.pipewire = pipewire, .page = (uintptr_t)sysconf(_SC_PAGESIZE)};

#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
	(void)dl_iterate_phdr(release_library, &r);
}

static int on_release(sd_event_source *source, uint64_t usec, void *data);

static void release_in(struct manager *m, int64_t ns)
{
	uint64_t usec = (uint64_t)((now_ns() + ns) / NSEC_PER_USEC);
	int r;

	if (m->release) {
		r = sd_event_source_set_time(m->release, usec);
		r = r < 0 ? r : sd_event_source_set_enabled(m->release, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time(m->event, &m->release, CLOCK_MONOTONIC, usec, 0, on_release, m);
	}
	if (r < 0) {
		log_debug("memory of the start is kept: %s", strerror(-r));
	}
}

static int on_release(sd_event_source *source, uint64_t usec, void *data)
{
	struct manager *m = data;

	memory_release(m->pipewire && strcmp(backend_kind(m->backend), backend_kind(m->pipewire)) == 0);
	if (!m->released) {
		m->released = true;
		release_in(m, AGAIN_NS);
	}
	return 0;
}

void memory_joined(struct manager *m)
{
	m->released = false;
	release_in(m, RELEASE_NS);
}
