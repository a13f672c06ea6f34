#include "ctl/wrap.h"

#include <stdbool.h>
#include <string.h>

void wrap_print(FILE *f, const char *text, int column, int indent)
{
	bool first = true;

	for (;;) {
		int len;

		text += strspn(text, " ");
		if (!*text) {
			break;
		}
		len = (int)strcspn(text, " ");
		if (!first && column + 1 + len > WRAP_COLUMNS) {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
			first = true;
		}
		fputs(first ? "" : " ", f);
		for (int i = 0; i < len; i++) {
			fputc((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i], f);
		}
		column += len + (first ? 0 : 1);
		first = false;
		text += len;
	}
	fputc('\n', f);
}
