# spill layer
noinst_LTLIBRARIES += src/spill/libspill.la
src_spill_libspill_la_SOURCES = \
	src/spill/checksum.c \
	src/spill/checksum.h \
	src/spill/format.c \
	src/spill/format.h \
	$(NULL)
src_spill_libspill_la_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
src_spill_libspill_la_LIBADD = $(XXHASH_LIBS)
