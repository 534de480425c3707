# tools: osctl
bin_PROGRAMS += tools/osctl
tools_osctl_SOURCES = \
	tools/cmd-config.c \
	tools/cmd-doctor.c \
	tools/cmd-get.c \
	tools/cmd-help.c \
	tools/cmd-hold.c \
	tools/cmd-ls.c \
	tools/cmd-put.c \
	tools/cmd-rm.c \
	tools/cmd-stat.c \
	tools/cmd-status.c \
	tools/commands.c \
	tools/doctor-kernel.c \
	tools/doctor-memory.c \
	tools/doctor.h \
	tools/fields.h \
	tools/options.c \
	tools/osctl.c \
	tools/osctl.h \
	tools/report.c \
	tools/report.h \
	tools/type.c \
	tools/writer-json.c \
	tools/writer-text.c \
	tools/writer.c \
	tools/writer.h \
	$(NULL)
tools_osctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
tools_osctl_LDADD = \
	src/client/libostore.la \
	src/util/libutil.la \
	$(JANSSON_LIBS) \
	$(SMARTCOLS_LIBS) \
	$(NULL)
