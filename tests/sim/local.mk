# tests/sim
check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = \
	tests/sim/client.c \
	tests/sim/client.h \
	tests/sim/coverage.c \
	tests/sim/coverage.h \
	tests/sim/kernel.c \
	tests/sim/kernel.h \
	tests/sim/leftover.c \
	tests/sim/leftover.h \
	tests/sim/model-effect.c \
	tests/sim/model-events.c \
	tests/sim/model-heir.c \
	tests/sim/model-pack.c \
	tests/sim/model-private.h \
	tests/sim/model-queue.c \
	tests/sim/model-request.c \
	tests/sim/model.c \
	tests/sim/model.h \
	tests/sim/request.c \
	tests/sim/request.h \
	tests/sim/rng.h \
	tests/sim/sim.c \
	tests/sim/world.c \
	tests/sim/world.h \
	$(NULL)
tests_sim_sim_LDADD = \
	src/core/libcore.la \
	src/wire/libwire.la \
	src/ds/libds.la \
	src/util/libutil.la \
	$(NULL)

TESTS += tests/sim/simulated-seeds-hold.sh
EXTRA_DIST += tests/sim/simulated-seeds-hold.sh
