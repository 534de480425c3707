# util layer
noinst_LTLIBRARIES += src/util/libutil.la
src_util_libutil_la_SOURCES = \
	src/util/cleanup.h \
	src/util/clock.h \
	src/util/cpu.c \
	src/util/cpu.h \
	src/util/glob.c \
	src/util/glob.h \
	src/util/id.c \
	src/util/id.h \
	src/util/log.c \
	src/util/log.h \
	src/util/place.h \
	src/util/siphash.c \
	src/util/siphash.h \
	src/util/size.c \
	src/util/size.h \
	src/util/socket.c \
	src/util/socket.h \
	src/util/spin.c \
	src/util/spin.h \
	src/util/text.c \
	src/util/text.h \
	src/util/thread.c \
	src/util/thread.h \
	$(NULL)
