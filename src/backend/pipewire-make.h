/*
 * Links that we ask the server to make. It answers some time later, and may refuse: then it is asked again, as often as
 * CONNECT_TRIES in pipewire-make.c says, until one of the two ports comes anew.
 *
 * Ownership: attempts belong to struct pwmake; the links are the server's, and stay when we go.
 * Threads: control.
 */
#ifndef BACKEND_PIPEWIRE_MAKE_H
#define BACKEND_PIPEWIRE_MAKE_H

#include "backend/pipewire-graph.h"

enum pwmake_result {
	PWMAKE_ASKED, /* or to be asked again */
	PWMAKE_DONE,  /* the link is there, or has been for a moment */
	PWMAKE_REFUSED,
};

struct pwmake {
	struct spa_list attempts;
	bool answered; /* since pwmake_begin(): look at all wishes again */
};

void pwmake_init(struct pwmake *make);
/* While core is still valid: nothing is asked any more, what is made stays. */
void pwmake_clear(struct pwmake *make);

/* One round: begin, pwmake_link() for each link that is to be there and is not, end. Not in an event of a proxy. */
void pwmake_begin(struct pwmake *make);
enum pwmake_result pwmake_link(struct pwmake *make, struct pw_core *core, const struct pwobject *output,
	const struct pwobject *input, int64_t now);
void pwmake_end(struct pwmake *make);

/* Its id may soon be another port's. */
void pwmake_port_gone(struct pwmake *make, uint32_t id);

#endif
