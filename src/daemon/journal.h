/*
 * Log lines into the systemd journal with fields, where stderr goes there anyway. Any thread but the
 * realtime one may log afterwards.
 */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

/*
 * Call once, before the first line and the first thread: from then on repeats are limited and, if stderr is the
 * journal, lines carry ETHLINK_DEVICE, ETHLINK_INTERFACE, CODE_FILE, CODE_LINE and CODE_FUNC. What the journal
 * does not take at once goes to stderr.
 */
void journal_begin(void);
/* The same with another socket in the journal's place, for tests. */
void journal_begin_at(const char *socket_path);

#endif
