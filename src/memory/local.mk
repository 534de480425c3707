# memory layer
noinst_LTLIBRARIES += src/memory/libmemory.la
src_memory_libmemory_la_SOURCES = \
	src/memory/advice.c \
	src/memory/advice.h \
	src/memory/crew.c \
	src/memory/crew.h \
	src/memory/memfd.c \
	src/memory/memfd.h \
	src/memory/pack-file.c \
	src/memory/pack-file.h \
	$(NULL)
