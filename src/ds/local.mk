# ds layer: lists, heaps, hash maps
noinst_LTLIBRARIES += src/ds/libds.la
src_ds_libds_la_SOURCES = \
	src/ds/hash.c \
	src/ds/hash.h \
	src/ds/heap.c \
	src/ds/heap.h \
	src/ds/index-list.h \
	src/ds/index-map.c \
	src/ds/index-map.h \
	src/ds/list.h \
	src/ds/memory.c \
	src/ds/memory.h \
	$(NULL)
