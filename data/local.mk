# What a system installs around the daemon; @names@ are filled in by make
data_templates = \
	data/ostored.conf.in \
	data/ostored.service.in \
	data/sysusers.d/ostore.conf.in \
	data/tmpfiles.d/ostore.conf.in \
	$(NULL)
data_generated = $(data_templates:.in=)
EXTRA_DIST += $(data_templates) data/ostored.socket
CLEANFILES += $(data_generated)

$(data_generated): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && rm -f $@ $@-t && \
	sed -e 's|@sbindir[@]|$(sbindir)|g' \
	    -e 's|@OSTORE_STATEDIR[@]|$(localstatedir)/lib/ostore|g' \
	    -e 's|@OSTORE_SYSTEM_USER[@]|$(OSTORE_SYSTEM_USER)|g' \
	    $< >$@-t && mv $@-t $@

confdir = $(sysconfdir)/ostore
conf_DATA = data/ostored.conf
systemdsystemunit_DATA = data/ostored.service data/ostored.socket
sysusersdir = $(prefix)/lib/sysusers.d
sysusers_DATA = data/sysusers.d/ostore.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
tmpfiles_DATA = data/tmpfiles.d/ostore.conf
