# Benchmarks: made by `make bench`, never run by make check.
EXTRA_PROGRAMS += bench/small_ops
bench_small_ops_SOURCES = bench/small_ops.c
bench_small_ops_LDADD = src/client/libostore.la
CLEANFILES += bench/small_ops$(EXEEXT)
EXTRA_DIST += bench/RESULTS.md bench/figures.py bench/run

bench: all bench/small_ops$(EXEEXT)
	$(PYTHON) $(srcdir)/bench/run --build $(abs_top_builddir)
