# ostored layer: a library, so that tests can link it
noinst_LTLIBRARIES += src/ostored/libostored.la
src_ostored_libostored_la_SOURCES = \
	src/ostored/configuration-file.c \
	src/ostored/configuration.c \
	src/ostored/configuration.h \
	src/ostored/listener.c \
	src/ostored/listener.h \
	src/ostored/machine.c \
	src/ostored/machine.h \
	src/ostored/options.c \
	src/ostored/options.h \
	$(NULL)
src_ostored_libostored_la_CFLAGS = $(AM_CFLAGS) $(LIBECONF_CFLAGS) $(SYSTEMD_CFLAGS)
src_ostored_libostored_la_LIBADD = \
	$(LIBECONF_LIBS) \
	$(SYSTEMD_LIBS) \
	$(NULL)
