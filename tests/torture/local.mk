# Run short by make check, for a minute by ./runtests, and as long as you like by
# `make torture SECONDS=3600`.
check_PROGRAMS += tests/torture/torture
tests_torture_torture_SOURCES = tests/torture/torture.c
tests_torture_torture_LDADD = src/client/libostore.la
TESTS += tests/torture/torture-short.sh
EXTRA_DIST += tests/torture/run tests/torture/torture-short.sh

SECONDS = 60
torture: $(check_PROGRAMS) all
	@$(AM_TESTS_ENVIRONMENT) bash $(srcdir)/tests/torture/run --seconds $(SECONDS)
