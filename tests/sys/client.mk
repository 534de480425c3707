# The client library: C programs, and the scripts that run them against a broker.
check_PROGRAMS += \
	tests/sys/c-api \
	tests/sys/client-async \
	tests/sys/client-distrusts-the-broker \
	tests/sys/client-fork \
	tests/sys/client-threads \
	$(NULL)
tests_sys_c_api_SOURCES = \
	tests/sys/c-api.c \
	tests/sys/client-test.h \
	$(NULL)
tests_sys_c_api_LDADD = src/client/libostore.la
tests_sys_client_async_SOURCES = \
	tests/sys/client-async.c \
	tests/sys/client-test.h \
	$(NULL)
tests_sys_client_async_LDADD = src/client/libostore.la
# With the hidden functions of wire, to play the broker.
tests_sys_client_distrusts_the_broker_SOURCES = \
	tests/sys/client-distrusts-the-broker.c \
	tests/sys/client-test.h \
	$(NULL)
tests_sys_client_distrusts_the_broker_LDADD = src/client/libclient.la
TESTS += tests/sys/client-distrusts-the-broker

tests_sys_client_fork_SOURCES = \
	tests/sys/client-fork.c \
	tests/sys/client-test.h \
	$(NULL)
tests_sys_client_fork_LDADD = src/client/libostore.la
tests_sys_client_threads_SOURCES = \
	tests/sys/client-test.h \
	tests/sys/client-threads.c \
	$(NULL)
tests_sys_client_threads_LDADD = src/client/libostore.la

client_tests = \
	tests/sys/c-api.sh \
	tests/sys/client-awaits-thousands-on-one-connection.sh \
	tests/sys/client-bursts-find-room.sh \
	tests/sys/client-compiles-against-an-installed-tree.sh \
	tests/sys/client-example-put-get.sh \
	tests/sys/client-exports-only-versioned-symbols.sh \
	tests/sys/client-finds-the-broker-or-says-where-it-looked.sh \
	tests/sys/client-forked-child-keeps-its-references.sh \
	tests/sys/client-forks-while-the-worker-dies.sh \
	tests/sys/client-of-another-user-sees-what-the-mode-says.sh \
	tests/sys/client-outlives-its-broker.sh \
	tests/sys/client-puts-more-than-4-gib.sh \
	tests/sys/client-signal-ends-a-wait.sh \
	tests/sys/client-survives-worker-kill.sh \
	tests/sys/client-threads-share-a-connection.sh \
	tests/sys/client-works-with-few-descriptors.sh \
	$(NULL)
TESTS += $(client_tests)
EXTRA_DIST += $(client_tests)
