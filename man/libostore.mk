# libostore(3): a page for each group of functions, and for each other function a
# page that leads there, made at build time.
dist_man_MANS += \
	man/libostore.3 \
	man/ostore_async.3 \
	man/ostore_connect.3 \
	man/ostore_create.3 \
	man/ostore_export.3 \
	man/ostore_get.3 \
	man/ostore_hold.3 \
	man/ostore_id.3 \
	man/ostore_list.3 \
	man/ostore_put.3 \
	man/ostore_set.3 \
	man/ostore_share.3 \
	man/ostore_subscribe.3 \
	$(NULL)

ostore_async_links = \
	man/links/ostore_cancel.3 \
	man/links/ostore_dispatch.3 \
	man/links/ostore_get_begin.3 \
	man/links/ostore_get_end.3 \
	man/links/ostore_next_event_begin.3 \
	man/links/ostore_next_event_end.3 \
	man/links/ostore_poll_fd.3 \
	man/links/ostore_request_user.3 \
	man/links/ostore_wait_begin.3 \
	man/links/ostore_wait_end.3 \
	$(NULL)
ostore_connect_links = \
	man/links/ostore_address.3 \
	man/links/ostore_close.3 \
	man/links/ostore_shutdown.3 \
	man/links/ostore_strerror.3 \
	man/links/ostore_version.3 \
	$(NULL)
ostore_create_links = \
	man/links/ostore_abort.3 \
	man/links/ostore_buffer.3 \
	man/links/ostore_seal.3 \
	$(NULL)
ostore_export_links = \
	man/links/ostore_export_begin.3 \
	man/links/ostore_flush.3 \
	man/links/ostore_import.3 \
	man/links/ostore_import_begin.3 \
	man/links/ostore_import_end.3 \
	$(NULL)
ostore_get_links = \
	man/links/ostore_data.3 \
	man/links/ostore_dup.3 \
	man/links/ostore_is_shared_address.3 \
	man/links/ostore_map.3 \
	man/links/ostore_metadata.3 \
	man/links/ostore_object_id.3 \
	man/links/ostore_owner.3 \
	man/links/ostore_release.3 \
	man/links/ostore_release_many.3 \
	man/links/ostore_size.3 \
	man/links/ostore_wait.3 \
	$(NULL)
ostore_hold_links = \
	man/links/ostore_delete.3 \
	man/links/ostore_lookup.3 \
	man/links/ostore_unhold.3 \
	$(NULL)
ostore_id_links = \
	man/links/ostore_id_format.3 \
	man/links/ostore_id_parse.3 \
	man/links/ostore_id_random.3 \
	$(NULL)
ostore_list_links = \
	man/links/ostore_config.3 \
	man/links/ostore_config_free.3 \
	man/links/ostore_configure.3 \
	man/links/ostore_list_free.3 \
	man/links/ostore_list_matching.3 \
	man/links/ostore_memory.3 \
	man/links/ostore_memory_free.3 \
	man/links/ostore_stat.3 \
	man/links/ostore_stat_free.3 \
	man/links/ostore_state_name.3 \
	man/links/ostore_stats.3 \
	man/links/ostore_stats_free.3 \
	$(NULL)
ostore_put_links = \
	man/links/ostore_put_fd.3 \
	man/links/ostore_put_many.3 \
	man/links/ostore_putv.3 \
	$(NULL)
ostore_share_links = \
	man/links/ostore_join.3 \
	man/links/ostore_seal_shared.3 \
	$(NULL)
ostore_subscribe_links = \
	man/links/ostore_event_name.3 \
	man/links/ostore_next_event.3 \
	man/links/ostore_unsubscribe.3 \
	$(NULL)

libostore_links = \
	$(ostore_async_links) \
	$(ostore_connect_links) \
	$(ostore_create_links) \
	$(ostore_export_links) \
	$(ostore_get_links) \
	$(ostore_hold_links) \
	$(ostore_id_links) \
	$(ostore_list_links) \
	$(ostore_put_links) \
	$(ostore_share_links) \
	$(ostore_subscribe_links) \
	$(NULL)
nodist_man_MANS = $(libostore_links)
CLEANFILES += $(libostore_links)

$(ostore_async_links):
	$(AM_V_GEN)page=ostore_async.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_connect_links):
	$(AM_V_GEN)page=ostore_connect.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_create_links):
	$(AM_V_GEN)page=ostore_create.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_export_links):
	$(AM_V_GEN)page=ostore_export.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_get_links):
	$(AM_V_GEN)page=ostore_get.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_hold_links):
	$(AM_V_GEN)page=ostore_hold.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_id_links):
	$(AM_V_GEN)page=ostore_id.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_list_links):
	$(AM_V_GEN)page=ostore_list.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_put_links):
	$(AM_V_GEN)page=ostore_put.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_share_links):
	$(AM_V_GEN)page=ostore_share.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
$(ostore_subscribe_links):
	$(AM_V_GEN)page=ostore_subscribe.3; $(MKDIR_P) man/links && echo ".so man3/$$page" >$@-t && mv $@-t $@
