/*
 * Draws what the mixer knows on the terminal that mixer-term.h has taken over. Only what differs from the last time is
 * sent. One thread.
 */
#ifndef CTL_MIXER_VIEW_H
#define CTL_MIXER_VIEW_H

#include "ctl/mixer-layout.h"
#include "ctl/mixer-model.h"
#include "ctl/mixer-term.h"

/* Once, after mixer_term_open(). */
void mixer_view_init(const struct mixer_look *look);

/* For the size that the terminal has now; where things have come to stand is told for the mouse. */
void mixer_view_draw(
	const struct mixer_model *model, const struct mixer_look *look, struct mixer_layout *ret_layout);

#endif
