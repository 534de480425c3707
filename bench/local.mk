# Benchmarks: made by `make bench`, never run by make check.
EXTRA_PROGRAMS += bench/small_ops bench/echo
bench_small_ops_SOURCES = bench/clients.h bench/small_ops.c
bench_small_ops_LDADD = src/client/libostore.la
bench_echo_SOURCES = bench/clients.h bench/echo.c
bench_echo_LDADD = src/wire/libwire.la src/util/libutil.la
EXTRA_PROGRAMS += bench/million
bench_million_SOURCES = bench/million.c
bench_million_LDADD = src/client/libostore.la
EXTRA_PROGRAMS += bench/attacks
bench_attacks_SOURCES = bench/attacks.c tests/sys/raw.c tests/sys/raw.h
bench_attacks_LDADD = src/wire/libwire.la src/util/libutil.la
EXTRA_PROGRAMS += bench/spill
bench_spill_SOURCES = bench/spill.c
bench_spill_LDADD = src/spill/libspill.la src/ds/libds.la src/util/libutil.la
CLEANFILES += bench/spill$(EXEEXT) bench/small_ops$(EXEEXT) bench/million$(EXEEXT) bench/echo$(EXEEXT) bench/attacks$(EXEEXT)
EXTRA_DIST += bench/RESULTS.md bench/figures.py bench/run bench/stores.py

bench: all bench/small_ops$(EXEEXT) bench/echo$(EXEEXT) bench/million$(EXEEXT) bench/attacks$(EXEEXT)
	$(PYTHON) $(srcdir)/bench/run --build $(abs_top_builddir)

# What is left for a client while others attack; as root.
bench-attacks: all bench/attacks$(EXEEXT)
	OSTORED=$(abs_top_builddir)/src/ostored/ostored bench/attacks$(EXEEXT)

# What the spill layer leaves of the disk; it takes a gigabyte and a half of /var/tmp.
bench-spill: bench/spill$(EXEEXT)
	bench/spill$(EXEEXT)
