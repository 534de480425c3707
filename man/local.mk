# man
dist_man_MANS += \
	man/ostored.8 \
	man/ostored.conf.5 \
	$(NULL)
