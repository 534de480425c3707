# tools: osctl, and the tests of osctl(1) and ostore(7)
bin_PROGRAMS += tools/osctl
tools_osctl_SOURCES = \
	tools/cmd-config.c \
	tools/cmd-doctor.c \
	tools/cmd-events.c \
	tools/cmd-get.c \
	tools/cmd-help.c \
	tools/cmd-hold.c \
	tools/cmd-ls.c \
	tools/cmd-memory.c \
	tools/cmd-put.c \
	tools/cmd-rm.c \
	tools/cmd-set.c \
	tools/cmd-stat.c \
	tools/cmd-status.c \
	tools/commands.c \
	tools/doctor-kernel.c \
	tools/doctor-memory.c \
	tools/doctor.h \
	tools/fields.c \
	tools/fields.h \
	tools/options.c \
	tools/osctl.c \
	tools/osctl.h \
	tools/report.c \
	tools/report.h \
	tools/type.c \
	tools/writer-json.c \
	tools/writer-text.c \
	tools/writer.c \
	tools/writer.h \
	$(NULL)
tools_osctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
tools_osctl_LDADD = \
	src/client/libostore.la \
	src/util/libutil.la \
	$(JANSSON_LIBS) \
	$(SMARTCOLS_LIBS) \
	$(NULL)

# bash looks for the completion of a command in a file of its name.
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = tools/bash-completion/osctl

osctl_tests = \
	tests/sys/osctl-attributes-are-given-shown-and-changed.sh \
	tests/sys/osctl-bash-completion-knows-the-table.sh \
	tests/sys/osctl-colours-terminals-only.sh \
	tests/sys/osctl-config-set-changes-a-running-broker.sh \
	tests/sys/osctl-doctor-fails-without-an-essential.sh \
	tests/sys/osctl-doctor-needs-no-rights.sh \
	tests/sys/osctl-events-are-followed-while-the-worker-dies.sh \
	tests/sys/osctl-events-of-others-are-not-shown.sh \
	tests/sys/osctl-exit-statuses-are-those-of-the-manual.sh \
	tests/sys/osctl-expired-objects-are-gone.sh \
	tests/sys/osctl-get-to-a-file-is-all-or-nothing.sh \
	tests/sys/osctl-help-covers-the-table.sh \
	tests/sys/osctl-json-has-the-documented-keys.sh \
	tests/sys/osctl-ls-sorts-and-limits.sh \
	tests/sys/osctl-manual-covers-commands-and-options.sh \
	tests/sys/osctl-manual-names-every-json-key.sh \
	tests/sys/osctl-memory-shows-who-keeps-what.sh \
	tests/sys/osctl-names-keep-objects.sh \
	tests/sys/osctl-options-may-stand-anywhere.sh \
	tests/sys/osctl-output-that-cannot-be-written-is-an-error.sh \
	tests/sys/osctl-put-and-get-return-the-same-bytes.sh \
	tests/sys/osctl-put-reads-from-where-standard-input-stands.sh \
	tests/sys/osctl-put-refuses-an-endless-stream.sh \
	tests/sys/osctl-put-stores-mode-and-metadata.sh \
	tests/sys/osctl-rm-deletes-all-that-it-can.sh \
	tests/sys/osctl-shows-hostile-bytes-as-text.sh \
	tests/sys/osctl-tells-the-type-of-python-objects.sh \
	tests/sys/osctl-text-output-is-as-expected.sh \
	tests/sys/osctl-usage-errors-name-the-wrong-word.sh \
	tests/sys/ostore-manual-names-every-error.sh \
	tests/sys/ostore-manual-programs-work.sh \
	$(NULL)
TESTS += $(osctl_tests)
EXTRA_DIST += $(osctl_tests)
