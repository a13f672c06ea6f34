#include "ctl/mixer-term.h"

#include "base/util.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Long enough for the rest of an arrow key to come over a slow line: the first byte alone would mean the end. */
#define ESCAPE_DELAY_MS 100
#define KEY_ESCAPE 27
/*
 * Also what is of no use here: of an event that is not asked for ncurses says nothing, but waits for the next one.
 */
#define ALL_OF_THE_MOUSE (ALL_MOUSE_EVENTS | REPORT_MOUSE_POSITION)

static SCREEN *screen;

static const struct {
	int code;
	enum mixer_key key;
} keys[] = {
	{KEY_LEFT, MIXER_KEY_LEFT},
	{KEY_RIGHT, MIXER_KEY_RIGHT},
	{KEY_UP, MIXER_KEY_UP},
	{'+', MIXER_KEY_UP},
	{KEY_DOWN, MIXER_KEY_DOWN},
	{'-', MIXER_KEY_DOWN},
	{KEY_PPAGE, MIXER_KEY_PAGE_UP},
	{KEY_NPAGE, MIXER_KEY_PAGE_DOWN},
	{KEY_HOME, MIXER_KEY_FIRST},
	{KEY_END, MIXER_KEY_LAST},
	{'0', MIXER_KEY_ZERO},
	{'m', MIXER_KEY_MUTE},
	{'M', MIXER_KEY_MUTE_ALL},
	{'\t', MIXER_KEY_NEXT_BOX},
	{KEY_BTAB, MIXER_KEY_PREVIOUS_BOX},
	{'c', MIXER_KEY_CLEAR_CLIPS},
	{'?', MIXER_KEY_HELP},
	{'h', MIXER_KEY_HELP},
	{KEY_F(1), MIXER_KEY_HELP},
	{'q', MIXER_KEY_QUIT},
	{'Q', MIXER_KEY_QUIT},
};

static void find_look(struct mixer_look *look)
{
	const char *no_color = getenv("NO_COLOR");
	const char *name = termname();

	look->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	/* The fonts of the console have no more than the half block. */
	look->eighths = look->utf8 && strncmp(name, "linux", strlen("linux")) != 0;
	look->colour = has_colors() && !(no_color && *no_color);
	if (look->colour) {
		start_color();
		(void)use_default_colors();
	}
}

/* ^S would hold up the whole program, and with it the answer to every signal. */
static void disable_flow_control(void)
{
	struct termios tio;

	if (tcgetattr(STDIN_FILENO, &tio) == 0) {
		tio.c_iflag &= ~(tcflag_t)IXON;
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &tio);
		(void)def_prog_mode();
	}
}

bool mixer_term_is_there(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

int mixer_term_open(struct mixer_look *ret_look)
{
	const char *place;

	/* The widths of characters; numbers are written with a point. */
	(void)setlocale(LC_CTYPE, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		return -EOPNOTSUPP;
	}
	place = tigetstr("cup");
	if (!place || place == (char *)-1) {
		mixer_term_close();
		return -EOPNOTSUPP;
	}
	set_escdelay(ESCAPE_DELAY_MS);
	(void)cbreak();
	(void)noecho();
	disable_flow_control();
	(void)nodelay(stdscr, TRUE);
	(void)keypad(stdscr, TRUE);
	(void)curs_set(0);
	mouseinterval(0);
	(void)mousemask(ALL_OF_THE_MOUSE, NULL);
	find_look(ret_look);
	return 0;
}

void mixer_term_close(void)
{
	if (screen) {
		(void)endwin();
		delscreen(screen);
		screen = NULL;
	}
}

static struct mixer_input read_mouse(void)
{
	struct mixer_input input = {.kind = MIXER_INPUT_OTHER};
	MEVENT event;

	if (getmouse(&event) != OK) {
		return input;
	}
	input.row = event.y;
	input.col = event.x;
	if (event.bstate & BUTTON1_PRESSED) {
		input.kind = MIXER_INPUT_CLICK;
	} else if (event.bstate & BUTTON4_PRESSED) {
		input.kind = MIXER_INPUT_WHEEL_UP;
	} else if (event.bstate & BUTTON5_PRESSED) {
		input.kind = MIXER_INPUT_WHEEL_DOWN;
	}
	return input;
}

struct mixer_input mixer_term_read(void)
{
	struct mixer_input input = {.kind = MIXER_INPUT_KEY};
	int code = getch();

	if (code == ERR) {
		input.kind = MIXER_INPUT_NONE;
	} else if (code == KEY_MOUSE) {
		input = read_mouse();
	} else if (code == KEY_ESCAPE) {
		/* With another character at its heels it is Alt, or a key that is not known. */
		input.key = getch() == ERR ? MIXER_KEY_QUIT : MIXER_KEY_NONE;
	} else if (code >= '1' && code <= '8') {
		input.key = (enum mixer_key)(MIXER_KEY_STRIP_1 + (code - '1'));
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (keys[i].code == code) {
				input.key = keys[i].key;
			}
		}
	}
	return input;
}

bool mixer_term_is_gone(void)
{
	int n = 0;

	return ioctl(STDIN_FILENO, FIONREAD, &n) < 0 || n == 0;
}

void mixer_term_resized(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
		(void)resizeterm(size.ws_row, size.ws_col);
	}
}
