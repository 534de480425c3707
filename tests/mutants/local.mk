# tests/mutants: faults planted in the core, which the simulation has to find
EXTRA_DIST += \
	tests/mutants/01-release-of-the-last-reference-is-lost.patch \
	tests/mutants/02-make-in-flight-is-not-charged.patch \
	tests/mutants/03-charge-of-a-uid-is-not-returned.patch \
	tests/mutants/04-half-an-event-is-believed.patch \
	tests/mutants/05-newest-victim-first.patch \
	tests/mutants/06-pinned-object-is-evicted.patch \
	tests/mutants/07-get-with-a-descriptor-does-not-pin.patch \
	tests/mutants/08-fork-copies-no-pins.patch \
	tests/mutants/09-leases-never-run-out.patch \
	tests/mutants/10-gone-ids-are-waited-for.patch \
	tests/mutants/11-waiters-are-woken-youngest-first.patch \
	tests/mutants/12-quota-is-not-kept.patch \
	tests/mutants/13-queue-is-not-fair.patch \
	tests/mutants/14-passing-has-no-bound.patch \
	tests/mutants/15-put-again-takes-a-second-reference.patch \
	tests/mutants/16-reconcile-does-not-cut.patch \
	tests/mutants/17-group-bits-are-taken-for-the-others.patch \
	tests/mutants/18-delete-frees-what-is-pinned.patch \
	tests/mutants/19-deadline-is-late.patch \
	tests/mutants/20-heir-gives-a-pinned-slot-away.patch \
	tests/mutants/21-names-are-shared-by-uids.patch \
	tests/mutants/22-descriptors-are-not-counted.patch \
	tests/mutants/23-journal-is-not-emptied.patch \
	tests/mutants/24-change-is-not-journaled.patch \
	tests/mutants/25-who-waits-for-events-is-forgotten.patch \
	tests/mutants/26-events-of-others-are-shown.patch \
	tests/mutants/27-number-of-an-event-is-not-journaled.patch \
	tests/mutants/28-lost-events-are-not-told.patch \
	tests/mutants/29-spoiled-note-passes-for-a-good-one.patch \
	tests/mutants/30-waiter-looks-too-late.patch \
	tests/mutants/31-what-was-configured-is-not-noted.patch \
	tests/mutants/32-limit-of-the-machine-is-not-kept.patch \
	tests/mutants/33-quota-of-the-start-is-kept.patch \
	tests/mutants/run \
	$(NULL)
