# wire layer
noinst_LTLIBRARIES += src/wire/libwire.la
src_wire_libwire_la_SOURCES = \
	src/wire/codec.c \
	src/wire/labels.c \
	src/wire/labels.h \
	src/wire/layout.c \
	src/wire/layout.h \
	src/wire/message.h \
	$(NULL)
