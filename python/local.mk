# SPDX-License-Identifier: LGPL-2.1-or-later
# The Python module: an abi3 extension over libostore, and Python beside it.
# It is complete in the build tree, so PYTHONPATH=$(top_builddir)/python runs it
# uninstalled: there the Python files are links, and the extension is one too.
ostore_python_files = \
	python/ostore/__init__.py \
	python/ostore/__init__.pyi \
	python/ostore/_async.py \
	python/ostore/_attributes.py \
	python/ostore/_broker.py \
	python/ostore/_client.py \
	python/ostore/_dask.py \
	python/ostore/_draft.py \
	python/ostore/_errors.py \
	python/ostore/_events.py \
	python/ostore/_format.py \
	python/ostore/_ostore.pyi \
	python/ostore/_ref.py \
	python/ostore/_session.py \
	python/ostore/_travel.py \
	python/ostore/py.typed \
	$(NULL)
ostore_python_tests = \
	python/tests/test_async.py \
	python/tests/test_attributes.py \
	python/tests/test_broker.py \
	python/tests/test_client.py \
	python/tests/test_draft.py \
	python/tests/test_events.py \
	python/tests/test_format.py \
	python/tests/test_interface.py \
	python/tests/test_processes.py \
	python/tests/test_share.py \
	python/tests/test_travel.py \
	python/tests/test_trust.py \
	$(NULL)
# No compiled files in the source tree.
AM_PY_LOG_FLAGS = -B
EXTRA_DIST += \
	$(ostore_python_files) \
	$(ostore_python_tests) \
	python/tests/support.py \
	$(NULL)
dist_man_MANS += man/ostore-python.7

if HAVE_PYTHON
ostorepythondir = $(pythondir)/ostore
ostorepython_DATA = $(ostore_python_files)
ostorepython_LTLIBRARIES = python/ostore/_ostore.abi3.la
python_ostore__ostore_abi3_la_SOURCES = \
	python/attributes.c \
	python/connection.c \
	python/inspect.c \
	python/module.c \
	python/module.h \
	python/object.c \
	python/put.c \
	python/request.c \
	python/tree-decode.c \
	python/tree-encode.c \
	$(NULL)
python_ostore__ostore_abi3_la_CPPFLAGS = $(AM_CPPFLAGS) $(PYTHON_CFLAGS) -DPy_LIMITED_API=0x030b0000
python_ostore__ostore_abi3_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -export-symbols-regex PyInit__ostore
python_ostore__ostore_abi3_la_LIBADD = src/client/libostore.la

noinst_DATA = python/ostore/linked.stamp
python/ostore/linked.stamp: python/ostore/_ostore.abi3.la $(ostore_python_files)
	$(AM_V_GEN)rm -f $@ && \
	for f in $(ostore_python_files); do \
		test -f $$f && test ! -L $$f || ln -sf '$(abs_top_srcdir)'/$$f $$f || exit; \
	done && \
	ln -sf .libs/_ostore.abi3.so python/ostore/_ostore.abi3.so && \
	touch $@
CLEANFILES += python/ostore/linked.stamp python/ostore/_ostore.abi3.so
clean-local: clean-python
clean-python:
	for f in $(ostore_python_files); do test ! -L $$f || rm -f $$f; done
	rm -rf python/ostore/__pycache__ python/tests/__pycache__

# libtool's description of a module is of no use to Python.
install-data-hook: install-python-hook
install-python-hook:
	rm -f '$(DESTDIR)$(ostorepythondir)/_ostore.abi3.la'
uninstall-hook: uninstall-python-hook
uninstall-python-hook:
	rm -f '$(DESTDIR)$(ostorepythondir)/_ostore.abi3.so'

TESTS += $(ostore_python_tests)
endif
