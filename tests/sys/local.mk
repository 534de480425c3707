# One behaviour per script, against a real broker; 77 means skipped, with the reason.
sys_tests = \
	tests/sys/include-lines-respect-layers.sh \
	$(NULL)

TESTS += $(sys_tests)
EXTRA_DIST += $(sys_tests)
