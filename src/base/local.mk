noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/audio.h \
	src/base/hist.h \
	src/base/log.c \
	src/base/log.h \
	src/base/mem.h \
	src/base/option.h \
	src/base/spsc.h \
	src/base/thread.h \
	src/base/utf8.h \
	src/base/util.h
