# tests/fuzz: a target per parser, and one for whole sessions with a worker.  With --enable-fuzzer they are libFuzzer
# programs: `fuzz-wire -max_total_time=60 NEW_DIRECTORY .../wire_seed_corpus`.
# Without, they replay files.  An input that crashed is added to the corpus.
fuzz_targets = tests/fuzz/fuzz-wire tests/fuzz/fuzz-util tests/fuzz/fuzz-spill tests/fuzz/fuzz-session
check_PROGRAMS += $(fuzz_targets)
EXTRA_PROGRAMS += tests/fuzz/make-wire-seeds
TESTS += tests/fuzz/every-seed-is-survived.sh
EXTRA_DIST += \
	tests/fuzz/every-seed-is-survived.sh \
	tests/fuzz/session_seed_corpus \
	tests/fuzz/spill_seed_corpus \
	tests/fuzz/util_seed_corpus \
	tests/fuzz/wire_seed_corpus \
	$(NULL)

if FUZZER
replay_main =
else
replay_main = tests/fuzz/replay-main.c
endif

tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz-wire.c tests/fuzz/fuzz.h tests/fuzz/wire-check.h $(replay_main)
tests_fuzz_fuzz_wire_LDADD = src/wire/libwire.la src/util/libutil.la
tests_fuzz_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

tests_fuzz_fuzz_util_SOURCES = tests/fuzz/fuzz-util.c tests/fuzz/fuzz.h $(replay_main)
tests_fuzz_fuzz_util_LDADD = src/util/libutil.la
tests_fuzz_fuzz_util_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

tests_fuzz_fuzz_spill_SOURCES = tests/fuzz/fuzz-spill.c tests/fuzz/fuzz.h $(replay_main)
tests_fuzz_fuzz_spill_LDADD = src/spill/libspill.la src/ds/libds.la src/util/libutil.la
tests_fuzz_fuzz_spill_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz-session.c tests/fuzz/fuzz.h $(replay_main)
tests_fuzz_fuzz_session_LDADD = \
	src/broker/libbroker.la \
	src/memory/libmemory.la \
	src/core/libcore.la \
	src/ds/libds.la \
	src/wire/libwire.la \
	src/util/libutil.la \
	$(NULL)
tests_fuzz_fuzz_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

tests_fuzz_make_wire_seeds_SOURCES = tests/fuzz/make-wire-seeds.c tests/fuzz/wire-samples.h
tests_fuzz_make_wire_seeds_LDADD = src/wire/libwire.la src/util/libutil.la
