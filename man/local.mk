# man
dist_man_MANS += \
	man/osctl.1 \
	man/ostore.7 \
	man/ostored.8 \
	man/ostored.conf.5 \
	$(NULL)
