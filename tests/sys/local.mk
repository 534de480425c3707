# One behaviour per script, against a real broker; 77 means skipped, with the reason.
sys_tests = \
	tests/sys/config-default-file-shows-every-key.sh \
	tests/sys/config-errors-name-file-and-line.sh \
	tests/sys/config-manual-names-every-option-and-key.sh \
	tests/sys/config-precedence.sh \
	tests/sys/config-units-are-well-formed.sh \
	tests/sys/include-lines-respect-layers.sh \
	tests/sys/private-broker-clean-stop-removes-socket.sh \
	tests/sys/private-broker-ends-with-its-starter.sh \
	tests/sys/private-broker-no-supervisor-mode-works.sh \
	tests/sys/private-broker-of-root-drops-capabilities.sh \
	tests/sys/private-broker-runs-as-unprivileged-uid.sh \
	tests/sys/private-broker-takes-a-passed-socket.sh \
	tests/sys/private-broker-tells-the-service-manager.sh \
	tests/sys/system-broker-becomes-its-own-user.sh \
	tests/sys/system-broker-without-its-user-says-how-to-make-it.sh \
	tests/sys/system-capacity-respects-memory-cgroup.sh \
	tests/sys/worker-killed-many-times.sh \
	tests/sys/worker-killed-objects-survive.sh \
	tests/sys/worker-that-cannot-die-has-an-heir.sh \
	tests/sys/worker-that-dies-young-is-delayed.sh \
	$(NULL)

TESTS += $(sys_tests)
EXTRA_DIST += $(sys_tests)

check_PROGRAMS += tests/sys/survivor
tests_sys_survivor_SOURCES = tests/sys/survivor.c
tests_sys_survivor_LDADD = src/client/libostore.la
