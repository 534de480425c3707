# spill layer
noinst_LTLIBRARIES += src/spill/libspill.la
src_spill_libspill_la_SOURCES = \
	src/spill/checksum.c \
	src/spill/checksum.h \
	src/spill/compression.c \
	src/spill/compression.h \
	src/spill/directory.c \
	src/spill/directory.h \
	src/spill/files.c \
	src/spill/files.h \
	src/spill/format.c \
	src/spill/format.h \
	src/spill/io.c \
	src/spill/io.h \
	src/spill/spill.c \
	src/spill/spill.h \
	src/spill/transfer-read.c \
	src/spill/transfer-write.c \
	src/spill/transfer.c \
	src/spill/transfer.h \
	src/spill/view.c \
	src/spill/view.h \
	$(NULL)
src_spill_libspill_la_CFLAGS = $(AM_CFLAGS) $(BLOSC_CFLAGS) $(URING_CFLAGS) $(XXHASH_CFLAGS)
src_spill_libspill_la_LIBADD = $(BLOSC_LIBS) $(URING_LIBS) $(XXHASH_LIBS)
