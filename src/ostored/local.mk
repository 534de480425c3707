# ostored layer: a library, so that tests can link it, and a stub
noinst_LTLIBRARIES += src/ostored/libostored.la
src_ostored_libostored_la_SOURCES = \
	src/ostored/configuration-file.c \
	src/ostored/configuration.c \
	src/ostored/configuration.h \
	src/ostored/daemon.c \
	src/ostored/daemon.h \
	src/ostored/filter.c \
	src/ostored/filter.h \
	src/ostored/host.c \
	src/ostored/host.h \
	src/ostored/listener.c \
	src/ostored/listener.h \
	src/ostored/machine.c \
	src/ostored/machine.h \
	src/ostored/notify.c \
	src/ostored/notify.h \
	src/ostored/options.c \
	src/ostored/options.h \
	src/ostored/privileges.c \
	src/ostored/privileges.h \
	src/ostored/supervisor.c \
	src/ostored/supervisor.h \
	$(NULL)
src_ostored_libostored_la_CFLAGS = $(AM_CFLAGS) $(LIBCAP_CFLAGS) $(LIBECONF_CFLAGS) $(LIBSECCOMP_CFLAGS) $(SYSTEMD_CFLAGS)
src_ostored_libostored_la_LIBADD = \
	$(LIBCAP_LIBS) \
	$(LIBECONF_LIBS) \
	$(LIBSECCOMP_LIBS) \
	$(SYSTEMD_LIBS) \
	$(NULL)

sbin_PROGRAMS += src/ostored/ostored
src_ostored_ostored_SOURCES = src/ostored/main.c
src_ostored_ostored_LDADD = \
	src/ostored/libostored.la \
	src/broker/libbroker.la \
	src/memory/libmemory.la \
	src/core/libcore.la \
	src/ds/libds.la \
	src/wire/libwire.la \
	src/util/libutil.la \
	$(NULL)
