/*
 * Fuzz target for the configuration: any bytes at all either give a configuration that prints and reads
 * back to itself, or are refused with at least one message.
 *
 * With a fuzzing engine: clang -DFUZZ_ENGINE -fsanitize=fuzzer,address,undefined …
 * Without: runs over the files and folders that it is given, by default over the corpus.
 */
#include "daemon/conf-internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *data, const char *text)
{
	unsigned *n = data;

	if (!*text || strchr(text, '\n')) {
		abort();
	}
	(*n)++;
}

/* What stands behind the last ; of a line says where a value came from, and that differs. */
static void cut_comments(char *text, size_t *len)
{
	size_t to = 0, comment = 0;

	for (size_t i = 0; i < *len; i++) {
		text[to++] = text[i];
		if (text[i] == ';') {
			comment = to;
		} else if (text[i] == '\n') {
			to = comment ? comment : to;
			comment = 0;
		}
	}
	*len = to;
}

static char *print(const struct conf *conf, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (!f) {
		abort();
	}
	conf_print(conf, f);
	fclose(f);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf = NULL, *again = NULL;
	char *first, *second;
	size_t first_len, second_len;
	unsigned n = 0;
	int r;

	r = conf_load_text("input", (const char *)data, size, count, &n, &conf);
	if (r < 0) {
		if (r != -EINVAL || n == 0 || conf) {
			abort();
		}
		return 0;
	}
	first = print(conf, &first_len);
	if (n > 0 || conf_load_text("again", first, first_len, count, &n, &again) != 0) {
		abort();
	}
	second = print(again, &second_len);
	cut_comments(first, &first_len);
	cut_comments(second, &second_len);
	if (first_len != second_len || memcmp(first, second, first_len) != 0) {
		abort();
	}
	free(first);
	free(second);
	conf_unref(conf);
	conf_unref(again);
	return 0;
}

#ifndef FUZZ_ENGINE
static int run_file(const char *path)
{
	const size_t max = 16 * 1024 * 1024;
	FILE *f = fopen(path, "r");
	uint8_t *data;
	size_t len;

	if (!f) {
		fprintf(stderr, "fuzz-conf: %s: %m\n", path);
		return -errno;
	}
	data = malloc(max);
	len = data ? fread(data, 1, max, f) : 0;
	fclose(f);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 1;
}

/* The number of files that were run, or -errno. */
static int run(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int total = 0;

	if (!folder) {
		return run_file(path);
	}
	while ((entry = readdir(folder))) {
		char *file;
		int r;

		if (entry->d_name[0] == '.') {
			continue;
		}
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0) {
			abort();
		}
		r = run_file(file);
		free(file);
		if (r < 0) {
			total = r;
			break;
		}
		total += r;
	}
	closedir(folder);
	return total;
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char corpus[1024];
	char *fallback[] = {argv[0], corpus};
	int total = 0;

	snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/conf", srcdir ? srcdir : ".");
	if (argc < 2) {
		argc = 2;
		argv = fallback;
	}
	for (int i = 1; i < argc; i++) {
		int r = run(argv[i]);

		if (r <= 0) {
			fprintf(stderr, "fuzz-conf: %s: nothing to run\n", argv[i]);
			return 1;
		}
		total += r;
	}
	printf("%d inputs\n", total);
	return 0;
}
#endif
