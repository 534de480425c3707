/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One loop over a signalfd, a pipe that workers write to, and time.
 *
 *          clone                     died                    delay over
 *   start ------> RUNNING -------------------------> WAITING ----------> RUNNING
 *                    | SIGTERM               exit 0, or tables unusable: end
 *                    v
 *                 STOPPING -- stop_timeout --> killed -- 1 s --> end
 *
 * A worker that died is replaced at once.  One that dies young by its own fault,
 * again and again, is replaced after a growing delay, but always: the objects are
 * safe in the descriptor table and the tables, and only an heir can give them out.
 * Two things end it: a first worker that never served (there is nothing to lose,
 * and the administrator sees the error at once), and tables that no worker can
 * read (there the objects are lost already; the service manager starts a new,
 * empty store).
 *
 * A worker that was killed but cannot be reaped has a thread stuck in the kernel
 * (close() of a FUSE file whose server is mute).  It gets its heir after a second.
 * To notice, each worker has a canary: a thread that does nothing and therefore
 * dies when it is told to.  The supervisor watches it by a pidfd of its own, where
 * the kernel has those for threads (6.9).  The main thread would not do: its
 * pidfd stays silent until the last of its threads is gone.
 */
#include "ostored/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ostored/notify.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9; missing in Debian 12's headers */
#endif

#define YOUNG_NS        (10 * NS_PER_S)  /* a worker that died younger than this died young */
#define YOUNG_DEATHS    5                /* that many in a row before there is a delay */
#define DELAY_MIN_NS    (100 * NS_PER_MS)
#define DELAY_MAX_NS    (5 * NS_PER_S)
#define CANNOT_DIE_NS   NS_PER_S
#define STOP_GRACE_NS   NS_PER_S         /* beyond stop_timeout, which the worker itself keeps */
#define EXIT_UNUSABLE   3                /* of a worker: the tables cannot be read */

/* What a worker writes to the pipe. */
#define WORD_WATCHED 'w' /* its canary's pidfd is in place */
#define WORD_SERVING 'r' /* written by broker_run() */

struct supervisor {
	const struct supervisor_options *options;
	struct broker_options broker;
	int keep_fds[SUPERVISOR_KEEP_MAX + 6];
	size_t n_keep_fds;
	pid_t pid;         /* of the supervisor */
	int signal_fd;
	int word_fds[2];   /* pipe: workers' words */
	int canary_fd;     /* pidfd of the worker's canary, or a placeholder that is never readable */
	bool canary_watched;
	int ready_fd;
	sem_t canary_ready; /* within the worker */

	pid_t worker;      /* 0: none */
	int64_t born_ns;
	bool serving;      /* this worker has served */
	bool served;       /* any worker has */
	bool stopping, killed;
	unsigned young_deaths;

	/* when the loop must act; FOREVER_NS: not */
	int64_t start_ns, stop_ns, give_up_ns, watchdog_ns;

	bool done;
	int status;
};

void supervisor_signals(void)
{
	static const int handled[] = { SIGCHLD, SIGTERM, SIGINT };
	/* HUP: nothing is read again.  PIPE: an error is returned as well.  IO: a
	 * lease on a memfd that is broken would kill its holder. */
	static const int ignored[] = { SIGHUP, SIGPIPE, SIGIO };
	sigset_t set;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
		sigaddset(&set, handled[i]);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

/* ---- the worker's side ---- */

static int run_broker(const struct broker_options *options)
{
	int r = broker_run(options);

	if (r < 0)
		log_error("worker: %s", strerror(-r));
	return r == 0 ? EXIT_SUCCESS : r == -EUCLEAN ? EXIT_UNUSABLE : EXIT_FAILURE;
}

static void *worker_thread(void *arg)
{
	struct supervisor *s = arg;

	return (void *)(intptr_t)run_broker(&s->broker);
}

static void *canary_thread(void *arg)
{
	struct supervisor *s = arg;
	const char word = WORD_WATCHED;
	int fd = syscall(SYS_pidfd_open, gettid(), PIDFD_THREAD);

	(void)prctl(PR_SET_NAME, "ostored-canary");
	/* To a number that the supervisor knows and every heir keeps. */
	if (fd >= 0) {
		(void)dup3(fd, s->canary_fd, O_CLOEXEC);
		(void)close(fd);
		(void)!write(s->word_fds[1], &word, 1);
	}
	sem_post(&s->canary_ready);
	for (;;)
		pause();
	return NULL;
}

/* Done before the broker runs, which closes the descriptors that it does not
 * know.  A worker without a canary is as good, but for threads that are stuck. */
static void start_canary(struct supervisor *s)
{
	pthread_t thread;
	sigset_t all, old;
	int r;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	(void)sem_init(&s->canary_ready, 0, 0);
	r = pthread_create(&thread, NULL, canary_thread, s);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return;
	while (sem_wait(&s->canary_ready) < 0 && errno == EINTR)
		;
}

static _Noreturn void worker(struct supervisor *s)
{
	pthread_t thread;
	sigset_t set;
	void *status;
	int r;

	/* If the supervisor died before prctl(), nobody is left to tell. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s->pid)
		_exit(EXIT_FAILURE);
	r = filter_load(s->options->filter);
	if (r < 0) {
		log_error("worker: cannot filter system calls: %s; without=seccomp does without",
			strerror(-r));
		_exit(EXIT_FAILURE);
	}
	(void)prctl(PR_SET_NAME, "ostored-worker");
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	start_canary(s);

	/* A raw clone is not glibc's fork(): this thread's descriptor still has the
	 * supervisor's thread id, so abort(), raise() and error-checking mutexes
	 * would name the wrong thread.  A pthread gets its own. */
	if (pthread_create(&thread, NULL, worker_thread, s) != 0 ||
		pthread_join(thread, &status) != 0)
		_exit(EXIT_FAILURE);
	_exit((int)(intptr_t)status);
}

/* ---- the supervisor's side ---- */

static void announce(const struct supervisor_options *options, int *ready_fd)
{
	if (*ready_fd >= 0) {
		(void)!write(*ready_fd, options->address, strlen(options->address));
		(void)!write(*ready_fd, "\n", 1);
		(void)close(*ready_fd);
		*ready_fd = -1;
	}
	notify_send(options->notify_fd, "READY=1\nSTATUS=Serving at %s", options->address);
}

static void finish(struct supervisor *s, int status)
{
	s->done = true;
	s->status = status;
}

/* What every worker must leave open.  ready_fd is closed once and then leaves the list. */
static void list_kept(struct supervisor *s)
{
	const int own[] = { s->signal_fd, s->word_fds[0], s->word_fds[1], s->canary_fd, s->ready_fd,
		s->options->notify_fd };

	s->n_keep_fds = 0;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i] >= 0)
			s->keep_fds[s->n_keep_fds++] = own[i];
	for (size_t i = 0; i < s->options->n_keep_fds; i++)
		if (s->options->keep_fds[i] >= 0)
			s->keep_fds[s->n_keep_fds++] = s->options->keep_fds[i];
	s->broker.keep_fds = s->keep_fds;
	s->broker.n_keep_fds = s->n_keep_fds;
}

static void start_worker(struct supervisor *s)
{
	long pid;

	list_kept(s);
	s->canary_watched = false;
	s->serving = false;
	s->start_ns = FOREVER_NS;
	s->born_ns = now_ns();
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		worker(s);
	if (pid < 0) {
		log_error("cannot start a worker: %s; trying again", strerror(errno));
		s->start_ns = deadline_ns(s->born_ns, DELAY_MAX_NS);
		return;
	}
	s->worker = pid;
}

/* How long to wait before the next worker.  Killed from outside after it had
 * served is nobody's fault: that one may happen as often as it likes. */
static int64_t next_delay(struct supervisor *s, int64_t now, int status)
{
	unsigned shift;

	if (s->serving && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 0;
	if (now - s->born_ns >= YOUNG_NS) {
		s->young_deaths = 0;
		return 0;
	}
	if (++s->young_deaths < YOUNG_DEATHS)
		return 0;
	shift = MIN(s->young_deaths - YOUNG_DEATHS, 10U);
	return MIN(DELAY_MIN_NS << shift, DELAY_MAX_NS);
}

static void log_death(pid_t pid, int status, int64_t delay)
{
	struct text how = TEXT_INIT, then = TEXT_INIT;

	if (WIFSIGNALED(status))
		text_set(&how, "was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		text_set(&how, "ended with status %d", WEXITSTATUS(status));
	if (delay > 0)
		text_set(&then, "in %.1f s", (double)delay / NS_PER_S);
	else
		text_set(&then, "now");
	log_warning("worker %d %s; objects are kept, the next worker starts %s", (int)pid, how.bytes,
		then.bytes);
}

/* A worker's words are all in the pipe when it is dead, and are read before the
 * next one is made, so that they are never taken for the next one's. */
static void read_words(struct supervisor *s)
{
	char word;

	while (read(s->word_fds[0], &word, 1) == 1) {
		if (word == WORD_WATCHED) {
			s->canary_watched = true;
			continue;
		}
		s->serving = true;
		if (!s->served)
			announce(s->options, &s->ready_fd);
		else
			notify_send(s->options->notify_fd, "STATUS=Serving at %s", s->options->address);
		s->served = true;
	}
}

static void worker_died(struct supervisor *s, int status)
{
	int64_t now = now_ns(), delay;
	pid_t pid = s->worker;

	read_words(s);
	s->worker = 0;
	s->give_up_ns = FOREVER_NS;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
		finish(s, EXIT_SUCCESS);
	} else if (s->stopping) {
		if (!s->killed)
			log_error("worker %d did not end cleanly (wait status %#x)", (int)pid, status);
		finish(s, EXIT_FAILURE);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNUSABLE) {
		log_error("worker %d cannot read what the last one left; the objects are lost, ending",
			(int)pid);
		finish(s, EXIT_FAILURE);
	} else if (!s->served) {
		log_error("the first worker did not come up, ending");
		finish(s, EXIT_FAILURE);
	} else {
		delay = next_delay(s, now, status);
		log_death(pid, status, delay);
		notify_send(s->options->notify_fd, "STATUS=Worker died, starting the next");
		s->start_ns = deadline_ns(now, delay);
	}
}

static void reap(struct supervisor *s)
{
	pid_t pid;
	int status;

	/* Children are workers: this one, and those that could not die before. */
	while (!s->done && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->worker)
			worker_died(s, status);
}

static void stop(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	notify_send(s->options->notify_fd, "STOPPING=1\nSTATUS=Stopping");
	if (s->worker == 0) {
		finish(s, EXIT_SUCCESS);
		return;
	}
	(void)kill(s->worker, SIGTERM);
	s->stop_ns = deadline_ns(now_ns(), deadline_ns(s->broker.stop_timeout_ns, STOP_GRACE_NS));
}

static void read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (!s->done && read(s->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else
			stop(s);
	}
}

/* It was killed.  Usually SIGCHLD says so as well, right away. */
static void canary_gone(struct supervisor *s)
{
	s->canary_watched = false;
	reap(s);
	if (!s->done && s->worker != 0 && s->give_up_ns == FOREVER_NS)
		s->give_up_ns = deadline_ns(now_ns(), CANNOT_DIE_NS);
}

static void give_up_on_worker(struct supervisor *s)
{
	pid_t pid = s->worker;

	read_words(s);
	s->give_up_ns = FOREVER_NS;
	s->worker = 0;
	if (s->stopping) {
		log_error("worker %d cannot die, leaving it behind", (int)pid);
		finish(s, EXIT_FAILURE);
		return;
	}
	log_warning("worker %d is dead but for a thread that is stuck in the kernel; objects are kept, "
		"the next worker starts now", (int)pid);
	s->start_ns = now_ns();
}

static void act_on_time(struct supervisor *s)
{
	int64_t now = now_ns();

	if (now >= s->give_up_ns)
		give_up_on_worker(s);
	if (!s->done && now >= s->stop_ns) {
		s->stop_ns = FOREVER_NS;
		s->killed = true;
		log_error("worker %d did not stop within %.0f s, killing it", (int)s->worker,
			(double)s->broker.stop_timeout_ns / NS_PER_S);
		(void)kill(s->worker, SIGKILL);
		s->give_up_ns = deadline_ns(now, CANNOT_DIE_NS);
	}
	if (!s->done && now >= s->start_ns)
		start_worker(s);
	if (now >= s->watchdog_ns) {
		notify_send(s->options->notify_fd, "WATCHDOG=1");
		s->watchdog_ns = deadline_ns(now, s->options->watchdog_ns);
	}
}

static int timeout_ms(const struct supervisor *s)
{
	int64_t next = MIN(MIN(s->start_ns, s->stop_ns), MIN(s->give_up_ns, s->watchdog_ns));
	int64_t now = now_ns();

	if (next == FOREVER_NS)
		return -1;
	if (next <= now)
		return 0;
	return (int)MIN((next - now) / NS_PER_MS + 1, 3600 * 1000);
}

static void loop(struct supervisor *s)
{
	while (!s->done) {
		struct pollfd fds[] = {
			{ .fd = s->signal_fd, .events = POLLIN },
			{ .fd = s->word_fds[0], .events = POLLIN },
			{ .fd = s->canary_watched ? s->canary_fd : -1, .events = POLLIN },
		};

		if (poll(fds, ARRAY_SIZE(fds), timeout_ms(s)) < 0 && errno != EINTR) {
			log_error("poll: %s", strerror(errno));
			finish(s, EXIT_FAILURE);
			return;
		}
		if (fds[1].revents)
			read_words(s);
		if (fds[0].revents)
			read_signals(s);
		if (!s->done && fds[2].revents && s->canary_watched)
			canary_gone(s);
		if (!s->done)
			act_on_time(s);
	}
}

int supervisor_run(const struct supervisor_options *options)
{
	struct supervisor s = {
		.options = options,
		.broker = options->broker,
		.pid = getpid(),
		.signal_fd = -1,
		.word_fds = { -1, -1 },
		.canary_fd = -1,
		.ready_fd = options->ready_fd,
		.start_ns = 0,
		.stop_ns = FOREVER_NS,
		.give_up_ns = FOREVER_NS,
		.watchdog_ns = options->watchdog_ns > 0 ? 0 : FOREVER_NS,
	};
	sigset_t set;

	assert(options->n_keep_fds <= SUPERVISOR_KEEP_MAX);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	s.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s.canary_fd = eventfd(0, EFD_CLOEXEC);
	if (s.signal_fd < 0 || s.canary_fd < 0 || pipe2(s.word_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	s.broker.supervisor_pid = s.pid;
	s.broker.ready_fd = s.word_fds[1];
	loop(&s);
	(void)close(s.signal_fd);
	(void)close(s.canary_fd);
	(void)close(s.word_fds[0]);
	(void)close(s.word_fds[1]);
	return s.status;
}

/* ---- alone ---- */

struct announcer {
	const struct supervisor_options *options;
	int word_fd;
	int ready_fd;
};

static void *announcer_thread(void *arg)
{
	struct announcer *a = arg;
	char word;

	if (read(a->word_fd, &word, 1) == 1)
		announce(a->options, &a->ready_fd);
	return NULL;
}

int supervisor_run_alone(const struct supervisor_options *options)
{
	struct broker_options broker = options->broker;
	struct announcer announcer = { .options = options, .ready_fd = options->ready_fd };
	pthread_t thread;
	int words[2], status;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* In a first start nothing is closed, so that the list of kept ones does not matter. */
	if (pipe2(words, O_CLOEXEC) < 0) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	announcer.word_fd = words[0];
	broker.ready_fd = words[1];
	broker.keep_fds = options->keep_fds;
	broker.n_keep_fds = options->n_keep_fds;
	if (pthread_create(&thread, NULL, announcer_thread, &announcer) != 0) {
		(void)close(words[0]);
		(void)close(words[1]);
		return EXIT_FAILURE;
	}
	status = run_broker(&broker);
	(void)close(words[1]); /* ends the announcer, if the worker never served */
	(void)pthread_join(thread, NULL);
	(void)close(words[0]);
	notify_send(options->notify_fd, "STOPPING=1");
	return status == EXIT_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
