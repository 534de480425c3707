# One behaviour per script, against a real broker; 77 means skipped, with the reason.
sys_tests = \
	tests/sys/config-default-file-shows-every-key.sh \
	tests/sys/config-errors-name-file-and-line.sh \
	tests/sys/config-manual-names-every-option-and-key.sh \
	tests/sys/config-precedence.sh \
	tests/sys/config-units-are-well-formed.sh \
	tests/sys/hacking-names-real-tests.sh \
	tests/sys/include-lines-respect-layers.sh \
	tests/sys/libostore-manual-names-every-function.sh \
	tests/sys/main-job-has-the-same-results-three-ways.sh \
	tests/sys/private-broker-clean-stop-removes-socket.sh \
	tests/sys/private-broker-ends-with-its-starter.sh \
	tests/sys/private-broker-keeps-nothing-of-its-starter-open.sh \
	tests/sys/private-broker-no-supervisor-mode-works.sh \
	tests/sys/private-broker-of-root-drops-capabilities.sh \
	tests/sys/private-broker-replaces-the-socket-of-the-dead.sh \
	tests/sys/private-broker-runs-as-unprivileged-uid.sh \
	tests/sys/private-broker-takes-a-passed-socket.sh \
	tests/sys/private-broker-tells-the-service-manager.sh \
	tests/sys/private-broker-waits-for-its-last-connection.sh \
	tests/sys/readme-transcript-is-true.sh \
	tests/sys/idle-objects-give-their-descriptors-back.sh \
	tests/sys/small-objects-need-no-descriptors.sh \
	tests/sys/system-broker-becomes-its-own-user.sh \
	tests/sys/system-broker-without-its-user-says-how-to-make-it.sh \
	tests/sys/system-capacity-follows-memory-cgroup.sh \
	tests/sys/system-capacity-respects-memory-cgroup.sh \
	tests/sys/user-broker-serves-the-runtime-directory.sh \
	tests/sys/worker-alone-under-valgrind.sh \
	tests/sys/worker-killed-many-times.sh \
	tests/sys/worker-killed-objects-survive.sh \
	tests/sys/worker-may-make-no-other-system-calls.sh \
	tests/sys/worker-that-cannot-die-has-an-heir.sh \
	tests/sys/worker-that-dies-young-is-delayed.sh \
	tests/sys/worker-that-does-not-stop-is-killed.sh \
	$(NULL)

TESTS += $(sys_tests)
EXTRA_DIST += $(sys_tests)

check_PROGRAMS += tests/sys/idle-objects
tests_sys_idle_objects_SOURCES = tests/sys/client-test.h tests/sys/idle-objects.c
tests_sys_idle_objects_LDADD = src/client/libostore.la
check_PROGRAMS += tests/sys/small-objects
tests_sys_small_objects_SOURCES = tests/sys/client-test.h tests/sys/small-objects.c
tests_sys_small_objects_LDADD = src/client/libostore.la

check_PROGRAMS += tests/sys/survivor
tests_sys_survivor_SOURCES = tests/sys/survivor.c
tests_sys_survivor_LDADD = src/client/libostore.la

# Attacks on a broker, judged by one program.
check_PROGRAMS += tests/sys/hostile
tests_sys_hostile_SOURCES = \
	tests/fuzz/wire-samples.h \
	tests/sys/hostile-crash.c \
	tests/sys/hostile-descriptors.c \
	tests/sys/hostile-floods.c \
	tests/sys/hostile-forks.c \
	tests/sys/hostile-good.c \
	tests/sys/hostile-lives.c \
	tests/sys/hostile-packets.c \
	tests/sys/hostile-requests.c \
	tests/sys/hostile.c \
	tests/sys/hostile.h \
	tests/sys/mute-fuse.c \
	tests/sys/mute-fuse.h \
	tests/sys/raw.c \
	tests/sys/raw.h \
	$(NULL)
tests_sys_hostile_LDADD = src/wire/libwire.la src/util/libutil.la

hostile_tests = \
	tests/sys/hostile-bad-children-are-refused.sh \
	tests/sys/hostile-bent-packets-do-no-harm.sh \
	tests/sys/hostile-both-ends-of-a-fork-come-back.sh \
	tests/sys/hostile-children-have-references-and-no-drafts.sh \
	tests/sys/hostile-confused-serials-confuse-only-their-client.sh \
	tests/sys/hostile-descriptors-in-flight-are-shared-out.sh \
	tests/sys/hostile-double-release-takes-only-ones-own.sh \
	tests/sys/hostile-double-seal-is-an-error.sh \
	tests/sys/hostile-drafts-of-others-are-out-of-reach.sh \
	tests/sys/hostile-dying-at-any-point-gives-all-back.sh \
	tests/sys/hostile-dying-during-a-crash-gives-all-back.sh \
	tests/sys/hostile-dying-with-everything-gives-all-back.sh \
	tests/sys/hostile-dying-with-its-socket-elsewhere-gives-all-back.sh \
	tests/sys/hostile-empty-packets-are-refused.sh \
	tests/sys/hostile-false-acknowledgements-are-refused.sh \
	tests/sys/hostile-false-claims-after-a-crash-add-nothing.sh \
	tests/sys/hostile-floods-of-batches-hold-up-nobody.sh \
	tests/sys/hostile-floods-of-cancels-hold-up-nobody.sh \
	tests/sys/hostile-floods-of-connections-hold-up-nobody.sh \
	tests/sys/hostile-floods-of-forks-hold-up-nobody.sh \
	tests/sys/hostile-floods-of-parts-hold-up-nobody.sh \
	tests/sys/hostile-floods-of-requests-hold-up-nobody.sh \
	tests/sys/hostile-garbage-is-refused.sh \
	tests/sys/hostile-hoarding-ends-at-the-quota.sh \
	tests/sys/hostile-hugetlb-memfds-are-errors.sh \
	tests/sys/hostile-hundreds-of-descriptors-in-a-packet-are-refused.sh \
	tests/sys/hostile-impossible-ids-and-names-are-errors.sh \
	tests/sys/hostile-last-words-of-the-dying-count.sh \
	tests/sys/hostile-missing-seals-are-errors.sh \
	tests/sys/hostile-mute-files-do-not-hang-the-broker.sh \
	tests/sys/hostile-never-acknowledging-gets-64-descriptors.sh \
	tests/sys/hostile-never-reading-holds-up-nobody.sh \
	tests/sys/hostile-objects-of-others-are-out-of-reach.sh \
	tests/sys/hostile-one-object-thousands-of-times.sh \
	tests/sys/hostile-other-versions-are-told-so.sh \
	tests/sys/hostile-overflowing-sizes-are-errors.sh \
	tests/sys/hostile-oversized-packets-are-refused.sh \
	tests/sys/hostile-own-sockets-as-forks-come-back.sh \
	tests/sys/hostile-pinned-pages-cannot-be-sealed.sh \
	tests/sys/hostile-regular-files-are-errors.sh \
	tests/sys/hostile-release-of-nothing-does-nothing.sh \
	tests/sys/hostile-reopened-descriptors-do-not-write.sh \
	tests/sys/hostile-replies-are-no-requests.sh \
	tests/sys/hostile-requests-before-hello-are-refused.sh \
	tests/sys/hostile-second-hello-is-refused.sh \
	tests/sys/hostile-senders-that-nobody-asked-for-are-closed.sh \
	tests/sys/hostile-senseless-cancels-do-nothing.sh \
	tests/sys/hostile-senseless-cursors-do-nothing.sh \
	tests/sys/hostile-serials-of-zero-are-refused.sh \
	tests/sys/hostile-silence-after-a-crash-holds-up-nobody.sh \
	tests/sys/hostile-sparse-memfds-are-charged-whole.sh \
	tests/sys/hostile-spoiled-drafts-do-not-become-objects.sh \
	tests/sys/hostile-stopped-clients-hold-up-nobody.sh \
	tests/sys/hostile-thousands-of-forks-come-back.sh \
	tests/sys/hostile-thousands-that-never-read-cost-little.sh \
	tests/sys/hostile-thousands-without-a-word-hold-up-nobody.sh \
	tests/sys/hostile-too-long-metadata-are-refused.sh \
	tests/sys/hostile-too-many-connections-are-told-so.sh \
	tests/sys/hostile-too-many-names-and-leases-are-errors.sh \
	tests/sys/hostile-too-many-waiting-requests-are-errors.sh \
	tests/sys/hostile-truncated-packets-are-refused.sh \
	tests/sys/hostile-unasked-reconcile-adds-nothing.sh \
	tests/sys/hostile-unasked-retry-adds-nothing.sh \
	tests/sys/hostile-unending-request-is-refused.sh \
	tests/sys/hostile-waiting-for-thousands-costs-little.sh \
	tests/sys/hostile-writable-drafts-cannot-be-sealed.sh \
	tests/sys/hostile-write-only-memfds-are-errors.sh \
	tests/sys/hostile-wrong-counts-of-descriptors-are-refused.sh \
	tests/sys/hostile-wrong-fork-sockets-are-refused.sh \
	tests/sys/hostile-wrong-kinds-of-descriptors-are-errors.sh \
	tests/sys/hostile-wrong-sizes-of-memfds-are-errors.sh \
	$(NULL)

TESTS += $(hostile_tests)
EXTRA_DIST += $(hostile_tests) tests/sys/hostile-functions.sh
