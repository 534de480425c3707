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

check_PROGRAMS += tests/unit/check-filter
TESTS += tests/unit/check-filter
tests_unit_check_filter_SOURCES = tests/unit/check-filter.c
tests_unit_check_filter_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_filter_LDADD = src/ostored/libostored.la src/util/libutil.la $(CHECK_LIBS)

check_PROGRAMS += tests/unit/check-memory
TESTS += tests/unit/check-memory
tests_unit_check_memory_SOURCES = tests/unit/check-memory.c
tests_unit_check_memory_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_memory_LDADD = \
	src/memory/libmemory.la \
	src/ds/libds.la \
	src/util/libutil.la \
	$(CHECK_LIBS) \
	$(NULL)

check_PROGRAMS += tests/unit/check-spill-format
TESTS += tests/unit/check-spill-format
tests_unit_check_spill_format_SOURCES = tests/unit/check-spill-format.c
tests_unit_check_spill_format_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_spill_format_LDADD = \
	src/spill/libspill.la \
	src/ds/libds.la \
	src/util/libutil.la \
	$(CHECK_LIBS) \
	$(NULL)

check_PROGRAMS += tests/unit/check-spill tests/unit/check-spill-faults
TESTS += tests/unit/check-spill tests/unit/check-spill-faults
tests_unit_check_spill_SOURCES = \
	tests/unit/check-spill.c \
	tests/unit/spill-world.c \
	tests/unit/spill-world.h \
	$(NULL)
tests_unit_check_spill_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_spill_LDADD = $(tests_unit_check_spill_format_LDADD)

tests_unit_check_spill_faults_SOURCES = \
	tests/unit/check-spill-faults.c \
	tests/unit/spill-world.c \
	tests/unit/spill-world.h \
	$(NULL)
tests_unit_check_spill_faults_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_spill_faults_LDADD = $(tests_unit_check_spill_format_LDADD)

check_PROGRAMS += tests/unit/check-ds
TESTS += tests/unit/check-ds
tests_unit_check_ds_SOURCES = tests/unit/check-ds.c
tests_unit_check_ds_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_ds_LDADD = src/ds/libds.la $(CHECK_LIBS)

core_world = tests/unit/core-world.c tests/unit/core-world.h
check_PROGRAMS += tests/unit/check-core tests/unit/check-core-crash
TESTS += tests/unit/check-core tests/unit/check-core-crash
tests_unit_check_core_SOURCES = tests/unit/check-core.c $(core_world)
tests_unit_check_core_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_core_LDADD = \
	src/core/libcore.la \
	src/ds/libds.la \
	src/wire/libwire.la \
	src/util/libutil.la \
	$(CHECK_LIBS) \
	$(NULL)

check_PROGRAMS += tests/unit/check-accounts
TESTS += tests/unit/check-accounts
tests_unit_check_accounts_SOURCES = tests/unit/check-accounts.c $(core_world)
tests_unit_check_accounts_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_accounts_LDADD = $(tests_unit_check_core_LDADD)

check_PROGRAMS += tests/unit/check-pack
TESTS += tests/unit/check-pack
tests_unit_check_pack_SOURCES = tests/unit/check-pack.c $(core_world)
tests_unit_check_pack_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_pack_LDADD = $(tests_unit_check_core_LDADD)

check_PROGRAMS += tests/unit/check-attributes
TESTS += tests/unit/check-attributes
tests_unit_check_attributes_SOURCES = tests/unit/check-attributes.c $(core_world)
tests_unit_check_attributes_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_attributes_LDADD = $(tests_unit_check_core_LDADD)

check_PROGRAMS += tests/unit/check-core-references
TESTS += tests/unit/check-core-references
tests_unit_check_core_references_SOURCES = tests/unit/check-core-references.c $(core_world)
tests_unit_check_core_references_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_core_references_LDADD = $(tests_unit_check_core_LDADD)

check_PROGRAMS += tests/unit/check-core-room
TESTS += tests/unit/check-core-room
tests_unit_check_core_room_SOURCES = tests/unit/check-core-room.c $(core_world)
tests_unit_check_core_room_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_core_room_LDADD = $(tests_unit_check_core_LDADD)

check_PROGRAMS += tests/unit/check-core-queue
TESTS += tests/unit/check-core-queue
tests_unit_check_core_queue_SOURCES = tests/unit/check-core-queue.c $(core_world)
tests_unit_check_core_queue_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_core_queue_LDADD = $(tests_unit_check_core_LDADD)

check_PROGRAMS += tests/unit/check-core-events
TESTS += tests/unit/check-core-events
tests_unit_check_core_events_SOURCES = tests/unit/check-core-events.c $(core_world)
tests_unit_check_core_events_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_core_events_LDADD = $(tests_unit_check_core_LDADD)

tests_unit_check_core_crash_SOURCES = tests/unit/check-core-crash.c $(core_world)
tests_unit_check_core_crash_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_core_crash_LDADD = $(tests_unit_check_core_LDADD)

check_PROGRAMS += tests/unit/check-client
TESTS += tests/unit/check-client
tests_unit_check_client_SOURCES = tests/unit/check-client.c
tests_unit_check_client_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_client_LDADD = src/client/libclient.la $(CHECK_LIBS)

check_PROGRAMS += tests/unit/check-broker
TESTS += tests/unit/check-broker
tests_unit_check_broker_SOURCES = \
	tests/sys/mute-fuse.c \
	tests/sys/mute-fuse.h \
	tests/unit/check-broker.c \
	$(NULL)
tests_unit_check_broker_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) -I$(top_srcdir)
tests_unit_check_broker_LDADD = \
	src/broker/libbroker.la \
	src/memory/libmemory.la \
	src/core/libcore.la \
	src/ds/libds.la \
	src/wire/libwire.la \
	src/util/libutil.la \
	$(CHECK_LIBS) \
	$(NULL)

endif HAVE_CHECK
