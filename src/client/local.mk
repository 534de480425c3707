# client layer: libostore, and the same code for tests that reach hidden functions
noinst_LTLIBRARIES += src/client/libclient.la
src_client_libclient_la_SOURCES = \
	include/ostore.h \
	src/client/address.c \
	src/client/address.h \
	src/client/async.c \
	src/client/async.h \
	src/client/attributes.c \
	src/client/attributes.h \
	src/client/call.c \
	src/client/call.h \
	src/client/connection.c \
	src/client/connection.h \
	src/client/draft.c \
	src/client/draft.h \
	src/client/error.c \
	src/client/error.h \
	src/client/events.c \
	src/client/fork.c \
	src/client/fork.h \
	src/client/get.c \
	src/client/look.c \
	src/client/looking.c \
	src/client/looking.h \
	src/client/map.c \
	src/client/map.h \
	src/client/memory.c \
	src/client/names.c \
	src/client/objects.c \
	src/client/objects.h \
	src/client/pieces.c \
	src/client/pieces.h \
	src/client/put-many.c \
	src/client/resume.c \
	src/client/resume.h \
	src/client/service.c \
	src/client/service.h \
	src/client/share.c \
	src/client/travel.c \
	src/client/travel.h \
	$(NULL)
src_client_libclient_la_LIBADD = \
	src/wire/libwire.la \
	src/util/libutil.la \
	$(NULL)

# -version-info current:revision:age.  Functions added: current+1, age+1, and a
# new node OSTORE_x.y in the map.  Anything removed or changed: never.
lib_LTLIBRARIES += src/client/libostore.la
src_client_libostore_la_SOURCES =
src_client_libostore_la_LIBADD = src/client/libclient.la
src_client_libostore_la_LDFLAGS = \
	$(AM_LDFLAGS) \
	-version-info 0:0:0 \
	-Wl,-z,nodelete \
	-Wl,--version-script=$(srcdir)/src/client/libostore.map \
	$(NULL)
src_client_libostore_la_DEPENDENCIES = \
	src/client/libclient.la \
	src/client/libostore.map \
	$(NULL)

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = src/client/ostore.pc
EXTRA_DIST += src/client/libostore.map
