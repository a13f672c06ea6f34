# The kernels of each instruction set are compiled with its flags and then put into libdsp.a with the
# rest: whoever uses them links libdsp.a and nothing else.
noinst_LIBRARIES += libdsp.a
libdsp_a_SOURCES = \
	src/dsp/sample-c.c \
	src/dsp/sample-internal.h \
	src/dsp/sample.c \
	src/dsp/sample.h
libdsp_a_LIBADD =
libdsp_a_DEPENDENCIES = $(libdsp_a_LIBADD)

if SIMD_X86
noinst_LIBRARIES += libdsp_sse2.a libdsp_avx2.a
libdsp_sse2_a_SOURCES = src/dsp/sample-sse2.c
libdsp_sse2_a_CFLAGS = $(AM_CFLAGS) -msse2
libdsp_avx2_a_SOURCES = src/dsp/sample-avx2.c
libdsp_avx2_a_CFLAGS = $(AM_CFLAGS) -mavx2
libdsp_a_LIBADD += $(libdsp_sse2_a_OBJECTS) $(libdsp_avx2_a_OBJECTS)
endif

if SIMD_NEON
libdsp_a_SOURCES += src/dsp/sample-neon.c
endif
