/* What a terminal is told for a colour, and to go back. Only where command_wants_colour(). */
#ifndef CTL_COLOUR_H
#define CTL_COLOUR_H

#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define RED "\033[31m"
#define PLAIN "\033[0m"

#endif
