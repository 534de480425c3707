# tests/unit
if HAVE_CHECK

check_PROGRAMS += tests/unit/check-util
TESTS += tests/unit/check-util
tests_unit_check_util_SOURCES = tests/unit/check-util.c
tests_unit_check_util_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_util_LDADD = src/util/libutil.la $(CHECK_LIBS)

check_PROGRAMS += tests/unit/check-wire
TESTS += tests/unit/check-wire
tests_unit_check_wire_SOURCES = \
	tests/fuzz/wire-check.h \
	tests/fuzz/wire-samples.h \
	tests/unit/check-wire.c \
	$(NULL)
tests_unit_check_wire_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_wire_LDADD = src/wire/libwire.la src/util/libutil.la $(CHECK_LIBS)

check_PROGRAMS += tests/unit/check-config
TESTS += tests/unit/check-config
tests_unit_check_config_SOURCES = tests/unit/check-config.c
tests_unit_check_config_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_config_LDADD = src/ostored/libostored.la src/util/libutil.la $(CHECK_LIBS)

check_PROGRAMS += tests/unit/check-memory
TESTS += tests/unit/check-memory
tests_unit_check_memory_SOURCES = tests/unit/check-memory.c
tests_unit_check_memory_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_memory_LDADD = \
	src/memory/libmemory.la \
	src/util/libutil.la \
	$(CHECK_LIBS) \
	$(NULL)

endif HAVE_CHECK
