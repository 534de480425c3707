# broker layer
noinst_LTLIBRARIES += src/broker/libbroker.la
src_broker_libbroker_la_SOURCES = \
	src/broker/broker.h \
	src/broker/connection.c \
	src/broker/effects.c \
	src/broker/features.c \
	src/broker/features.h \
	src/broker/limit.c \
	src/broker/listener.c \
	src/broker/loop.c \
	src/broker/output.c \
	src/broker/pack.c \
	src/broker/peer.c \
	src/broker/recover.c \
	src/broker/report.c \
	src/broker/settings.c \
	src/broker/stranger.c \
	src/broker/turns.c \
	src/broker/user.c \
	src/broker/worker.c \
	src/broker/worker.h \
	$(NULL)
