# examples: compiled with the rest, run by a test, installed as documentation
noinst_PROGRAMS += \
	examples/get \
	examples/put \
	$(NULL)
examples_get_SOURCES = examples/get.c
examples_get_LDADD = src/client/libostore.la
examples_put_SOURCES = examples/put.c
examples_put_LDADD = src/client/libostore.la

exampledir = $(docdir)/examples
dist_example_DATA = \
	examples/Makefile \
	examples/get.c \
	examples/main_job.py \
	examples/put.c \
	$(NULL)
