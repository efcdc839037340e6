/* aws_config_test.c - the grammar and the places of the shared AWS files, against the SDKs' own suites. */
#include "aws_vectors.h"

#include <ctype.h>

/* ---- the shared profile-file suite: exact results ---- */

static void value_text(const struct aws_property *p, struct buf *out)
{
	buf_reset(out);
	buf_str(out, p->value);
	for (size_t i = 0; i < p->nsub; i++)
		buf_printf(out, "\n%s", p->sub[i].raw);
}

static size_t sections_of(const struct aws_config *c, enum aws_section_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].kind == kind;
	return n;
}

static void compare_sections(struct tally *t, const char *row, const struct aws_config *c,
	enum aws_section_kind kind, const cJSON *want)
{
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	if (sections_of(c, kind) != (size_t)cJSON_GetArraySize(want))
		ROW_FAIL(t, row, "%zu sections of kind %d", sections_of(c, kind), kind);
	const cJSON *ws, *wp;
	cJSON_ArrayForEach(ws, want)
	{
		const struct aws_section *s = aws_config_section(c, kind, ws->string);
		if (!s || s->n != (size_t)cJSON_GetArraySize(ws)) {
			ROW_FAIL(t, row, "[%s]: %s", ws->string, s ? "number of properties" : "missing");
			continue;
		}
		cJSON_ArrayForEach(wp, ws)
		{
			const struct aws_property *p = NULL;
			for (size_t i = 0; i < s->n; i++)
				if (strcasecmp(s->v[i].key, wp->string) == 0)
					p = &s->v[i];
			if (p)
				value_text(p, &text);
			if (!p || strcmp(text.p, wp->valuestring) != 0)
				ROW_FAIL(t, row, "%s: got \"%s\"", wp->string, p ? text.p : "(none)");
		}
	}
	buf_release(&text);
}

static int parse_both(struct aws_config *c, const cJSON *input, struct err *e)
{
	const char *config = str_of(input, "configFile"), *creds = str_of(input, "credentialsFile");
	if (config && aws_config_parse(c, config, strlen(config), false, e) < 0)
		return -1;
	return creds ? aws_config_parse(c, creds, strlen(creds), true, e) : 0;
}

static void profile_parser_suite(void **state)
{
	(void)state;
	struct tally t = { .suite = "profile-parser-tests" };
	cJSON *file = vector_json("smithy-rs/profile-parser-tests.json");
	const cJSON *test;
	cJSON_ArrayForEach(test, cJSON_GetObjectItem(file, "tests"))
	{
		const char *row = str_of(test, "name");
		const cJSON *output = cJSON_GetObjectItem(test, "output");
		const char *error = str_of(output, "errorContaining");
		const cJSON *config = cJSON_GetObjectItem(output, "config"), *kind;
		struct aws_config c = { 0 };
		struct err e = { 0 };
		int rc = parse_both(&c, cJSON_GetObjectItem(test, "input"), &e);
		t.cases++;
		if (error && (rc == 0 || !strstr(e.msg, error)))
			ROW_FAIL(&t, row, "wanted \"%s\", got \"%s\"", error, rc == 0 ? "(no error)" : e.msg);
		else if (!error && rc < 0)
			ROW_FAIL(&t, row, "refused: %s", e.msg);
		if (!error && rc == 0)
			compare_sections(&t, row, &c, AWS_PROFILE, cJSON_GetObjectItem(config, "profiles"));
		if (!error && rc == 0 && (kind = cJSON_GetObjectItem(config, "sso_sessions")))
			compare_sections(&t, row, &c, AWS_SSO_SESSION, kind);
		if (!error && rc == 0 && (kind = cJSON_GetObjectItem(config, "services")))
			compare_sections(&t, row, &c, AWS_SERVICES, kind);
		aws_config_release(&c);
	}
	cJSON_Delete(file);
	tally_end(&t);
}

static void file_locations(void **state)
{
	(void)state;
	struct tally t = { .suite = "file-location-tests" };
	cJSON *file = vector_json("smithy-rs/file-location-tests.json");
	const cJSON *test;
	cJSON_ArrayForEach(test, cJSON_GetObjectItem(file, "tests"))
	{
		const char *row = str_of(test, "name"), *profile = str_of(test, "profile");
		t.cases++;
		if (strcmp(str_of(test, "platform"), "linux") != 0) {
			set_aside(&t, row, "another platform's rule");
			continue;
		}
		struct aws_env env = { .get = env_of_json, .arg = cJSON_GetObjectItem(test, "environment") };
		struct buf config = BUF_INIT(4096), creds = BUF_INIT(4096);
		struct aws_config c = { 0 };
		assert_true(aws_config_path(&env, false, &config) && aws_config_path(&env, true, &creds));
		aws_config_choose(&c, &env, NULL);
		if (strcmp(config.p, str_of(test, "configLocation")) != 0 ||
			strcmp(creds.p, str_of(test, "credentialsLocation")) != 0 ||
			strcmp(c.profile, profile ? profile : "default") != 0)
			ROW_FAIL(&t, row, "got %s, %s, profile %s", config.p, creds.p, c.profile);
		aws_config_release(&c);
		buf_release(&config);
		buf_release(&creds);
	}
	cJSON_Delete(file);
	tally_end(&t);
}

/* ---- the Go SDK's files ---- */

static bool suite_name(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && !strchr("_-/.%@:+ \t[]", p[i]))
			return false;
	return true;
}

/* What that SDK takes and the shared suite does not; the suite goes first. NULL: they agree. */
static const char *go_differs(const char *text)
{
	bool section = false;
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t n = strcspn(p, "\n"), key = strcspn(p, "=\n");
		if (n == 0 || *p == '#' || *p == ';')
			continue;
		if (*p == '[') {
			section = true;
			if (!suite_name(p, strcspn(p, "]\n")))
				return "a section name of other characters is ignored by the shared suite";
			continue;
		}
		if (!section)
			return "a property before any section is an error in the shared suite";
		if (key == n)
			return "a line without '=' (here ':' or a nested section) is an error in the shared "
			       "suite";
		size_t end = key;
		while (end > 0 && (p[end - 1] == ' ' || p[end - 1] == '\t'))
			end--;
		if (*p != ' ' && *p != '\t' && strcspn(p, " \t") < end)
			return "a name with a blank inside is ignored by the shared suite";
		if (*p != ' ' && *p != '\t' && !suite_name(p, end))
			return "a name of other characters is ignored by the shared suite";
	}
	return NULL;
}

/* Go's test reads numbers of any base through its Int accessor. */
static bool same_number(const char *text, double want)
{
	int base = 0;
	if (strncmp(text, "0b", 2) == 0)
		text += 2, base = 2;
	else if (strncmp(text, "0o", 2) == 0)
		text += 2, base = 8;
	char *end;
	long long whole = strtoll(text, &end, base);
	if (*end == '\0')
		return (double)whole == want;
	double real = strtod(text, &end);
	return *end == '\0' && real - want < 1e-9 && want - real < 1e-9;
}

static bool same_value(const char *got, const cJSON *want)
{
	if (cJSON_IsNumber(want))
		return same_number(got, want->valuedouble);
	if (cJSON_IsBool(want))
		return strcasecmp(got, cJSON_IsTrue(want) ? "true" : "false") == 0;
	return cJSON_IsString(want) && strcmp(got, want->valuestring) == 0;
}

static void go_compare(struct tally *t, const char *row, const struct aws_config *c, const cJSON *want)
{
	const cJSON *ws, *wp;
	cJSON_ArrayForEach(ws, want)
	{
		const char *name = strncmp(ws->string, "profile ", 8) == 0 ? ws->string + 8 : ws->string;
		const struct aws_section *s = aws_config_section(c, AWS_PROFILE, name);
		if (!s) {
			ROW_FAIL(t, row, "no section [%s]", name);
			continue;
		}
		cJSON_ArrayForEach(wp, ws)
		{
			const char *got = aws_section_get(s, wp->string);
			if (!same_value(got ? got : "", wp))
				ROW_FAIL(t, row, "[%s] %s = %s", name, wp->string, got ? got : "(none)");
		}
	}
}

static void go_ini_valid(void **state)
{
	(void)state;
	struct tally t = { .suite = "go-v2/ini/valid" };
	char **names, path[1024], rel[300];
	size_t n = vector_list("go-v2/ini/valid", &names);
	for (size_t i = 0; i < n; i++) {
		if (strstr(names[i], "_expected.json"))
			continue;
		snprintf(rel, sizeof rel, "go-v2/ini/valid/%s", names[i]);
		vector_path(path, rel);
		size_t len;
		char *text = read_path(path, &len);
		snprintf(rel, sizeof rel, "go-v2/ini/valid/%s_expected.json", names[i]);
		cJSON *want = vector_json(rel);
		struct aws_config c = { 0 };
		struct err e = { 0 };
		const char *why = go_differs(text);
		/* The set knows no [profile NAME]: such a file is one of the config form. */
		bool credentials = strstr(text, "[profile ") == NULL;
		t.cases++;
		if (why)
			set_aside(&t, names[i], why);
		else if (aws_config_parse(&c, text, len, credentials, &e) < 0)
			ROW_FAIL(&t, names[i], "refused: %s", e.msg);
		else
			go_compare(&t, names[i], &c, want);
		aws_config_release(&c);
		cJSON_Delete(want);
		free(text);
	}
	free_list(names, n);
	tally_end(&t);
}

/* Refused, or (as the shared suite has it for bad names) nothing of it is taken. */
static void go_ini_invalid(void **state)
{
	(void)state;
	struct tally t = { .suite = "go-v2/ini/invalid" };
	char **names, path[1024], rel[300];
	size_t n = vector_list("go-v2/ini/invalid", &names);
	for (size_t i = 0; i < n; i++) {
		snprintf(rel, sizeof rel, "go-v2/ini/invalid/%s", names[i]);
		vector_path(path, rel);
		size_t len, taken = 0;
		char *text = read_path(path, &len);
		struct aws_config c = { 0 };
		struct err e = { 0 };
		t.cases++;
		if (aws_config_parse(&c, text, len, true, &e) == 0)
			for (size_t k = 0; k < c.n; k++)
				taken += c.v[k].n;
		if (taken)
			ROW_FAIL(&t, names[i], "%zu properties were taken", taken);
		aws_config_release(&c);
		free(text);
	}
	free_list(names, n);
	tally_end(&t);
}

static void read_without_a_crash(const char *dir, struct tally *t)
{
	char **names, path[1024], rel[300];
	size_t n = vector_list(dir, &names);
	for (size_t i = 0; i < n; i++) {
		snprintf(rel, sizeof rel, "%s/%s", dir, names[i]);
		vector_path(path, rel);
		for (int credentials = 0; credentials < 2; credentials++) {
			size_t len;
			char *text = read_path(path, &len);
			struct aws_config c = { 0 };
			struct err e = { 0 };
			if (aws_config_parse(&c, text, len, credentials, &e) < 0 && e.cls != ERR_USAGE)
				ROW_FAIL(t, names[i], "class %d: %s", e.cls, e.msg);
			aws_config_release(&c);
			free(text);
		}
		t->cases++;
	}
	free_list(names, n);
}

static void go_config_files(void **state)
{
	(void)state;
	struct tally t = { .suite = "go-v2/config and processcreds (no crash)" };
	read_without_a_crash("go-v2/config", &t);
	read_without_a_crash("go-v2/processcreds", &t);
	tally_end(&t);
}

/* ---- botocore's files ---- */

static void botocore_values(struct tally *t, const char *row, const struct aws_config *c,
	enum aws_section_kind kind, const cJSON *want)
{
	const cJSON *ws, *wp;
	cJSON_ArrayForEach(ws, want)
	{
		const struct aws_section *s = aws_config_section(c, kind, ws->string);
		cJSON_ArrayForEach(wp, ws)
		{
			char key[128];
			snprintf(key, sizeof key, "%s", wp->string);
			char *dot = strchr(key, '.');
			if (dot)
				*dot = '\0';
			const char *got =
				dot ? aws_section_get_sub(s, key, dot + 1) : aws_section_get(s, key);
			if (!same_value(got ? got : "", wp))
				ROW_FAIL(
					t, row, "[%s] %s = %s", ws->string, wp->string, got ? got : "(none)");
		}
	}
}

static void botocore_row(struct tally *t, const cJSON *want)
{
	char path[1024], rel[300];
	const char *row = want->string;
	snprintf(rel, sizeof rel, "botocore/cfg/%s", row);
	vector_path(path, rel);
	size_t len;
	char *text = read_path(path, &len);
	struct aws_config c = { 0 };
	struct err e = { 0 };
	int rc = aws_config_parse(&c, text, len, false, &e);
	free(text);
	t->cases++;
	if (strcmp(str_of(want, "outcome"), "ok") != 0) {
		if (rc == 0 && c.n > 0)
			ROW_FAIL(t, row, "taken, though it is %s", str_of(want, "outcome"));
		aws_config_release(&c);
		return;
	}
	if (rc < 0)
		ROW_FAIL(t, row, "refused: %s", e.msg);
	const cJSON *exactly = cJSON_GetObjectItem(want, "profiles_exactly"), *name;
	cJSON_ArrayForEach(name, exactly) if (!aws_config_section(&c, AWS_PROFILE, name->valuestring))
		ROW_FAIL(t, row, "no profile %s", name->valuestring);
	cJSON_ArrayForEach(
		name, cJSON_GetObjectItem(want, "profiles_include")) if (!aws_config_section(&c, AWS_PROFILE,
										 name->valuestring))
		ROW_FAIL(t, row, "no profile %s", name->valuestring);
	if (exactly && sections_of(&c, AWS_PROFILE) != (size_t)cJSON_GetArraySize(exactly))
		ROW_FAIL(t, row, "%zu profiles", sections_of(&c, AWS_PROFILE));
	botocore_values(t, row, &c, AWS_PROFILE, cJSON_GetObjectItem(want, "values"));
	botocore_values(t, row, &c, AWS_SSO_SESSION, cJSON_GetObjectItem(want, "sso_sessions"));
	aws_config_release(&c);
}

static void botocore_cfg(void **state)
{
	(void)state;
	struct tally t = { .suite = "botocore/cfg" };
	cJSON *file = vector_json("botocore/cfg-expected.json");
	const cJSON *want;
	cJSON_ArrayForEach(want, file) botocore_row(&t, want);
	cJSON_Delete(file);
	tally_end(&t);
}

/* ---- rows of our own ---- */

struct row {
	const char *name, *config, *creds, *key, *want; /* of profile p; want NULL: not there */
	const char *error;
};

static void own_rows(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "quotes come off", "[profile p]\nk = \"v w\"\n", NULL, "k", "v w", NULL },
		{ "single quotes too", "[profile p]\nk = 'v'\n", NULL, "k", "v", NULL },
		{ "two quoted words stay", "[profile p]\nk = \"a\" \"b\"\n", NULL, "k", "\"a\" \"b\"", NULL },
		{ "an escaped end is no end", "[profile p]\nk = \"a\\\"\n", NULL, "k", "\"a\\\"", NULL },
		{ "a lone quote", "[profile p]\nk = \"\n", NULL, "k", "\"", NULL },
		{ "credentials win, read last", "[profile p]\nk = a\n", "[p]\nk = b\n", "k", "b", NULL },
		{ "quoted profile name", "[profile \"p\"]\nk=v\n", NULL, "k", "v", NULL },
		{ "hash in a quoted name", "[profile \"x#y\"]\n[profile p]\nk=v", NULL, "k", "v", NULL },
		{ "byte order mark", "\xef\xbb\xbf[profile p]\nk=v", NULL, "k", "v", NULL },
		{ "last line without newline", "[profile p]\nk=v", NULL, "k", "v", NULL },
		{ "key in any case", "[profile p]\nKeY=v", NULL, "k", NULL, NULL },
		{ "key is lowered", "[profile p]\nK=v", NULL, "k", "v", NULL },
		{ "no blank, no comment", "[profile p]\nk = v;w#x\n", NULL, "k", "v;w#x", NULL },
		{ "tab before a comment", "[profile p]\nk = v\t; c", NULL, "k", "v", NULL },
		{ "skipped section is not judged", "[other]\nno equals\n more\n[profile p]\nk=v", NULL, "k",
			"v", NULL },
		{ "ignored property takes its continuation along", "[profile p]\nb d = 1\n x\nk=v", NULL, "k",
			"v", NULL },
		{ "header without end", "[profile p\nk=v", NULL, "k", NULL,
			"line 1: Profile definition must end" },
		{ "text behind the header", "[profile p] x\nk=v", NULL, "k", NULL, "must end with ']'" },
		{ "no name", "[profile p]\n= v", NULL, "k", NULL, "line 2: Property did not have a name" },
		{ "no name in a nested pair", "[profile p]\ns3 =\n = v", NULL, "k", NULL,
			"Sub-property did not have a name" },
		{ "no = in a nested pair", "[profile p]\ns3 =\n v", NULL, "k", NULL,
			"Expected an '=' sign defining a sub-property" },
		{ "bytes that are no UTF-8", "[profile p]\nk = \xff", NULL, "k", NULL, "UTF-8" },
	};
	struct tally t = { .suite = "own rows" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct aws_config c = { 0 };
		struct err e = { 0 };
		int rc = aws_config_parse(&c, r->config, strlen(r->config), false, &e);
		if (rc == 0 && r->creds)
			rc = aws_config_parse(&c, r->creds, strlen(r->creds), true, &e);
		const char *got = aws_section_get(aws_config_section(&c, AWS_PROFILE, "p"), r->key);
		t.cases++;
		if (r->error ? rc == 0 || !strstr(e.msg, r->error) : rc < 0)
			ROW_FAIL(&t, r->name, "rc %d: %s", rc, e.msg);
		else if (!r->error && (got && r->want ? strcmp(got, r->want) != 0 : got != r->want))
			ROW_FAIL(&t, r->name, "got %s", got ? got : "(none)");
		aws_config_release(&c);
	}
	tally_end(&t);
}

static void credentials_win_in_either_order(void **state)
{
	(void)state;
	struct aws_config c = { 0 };
	struct err e = { 0 };
	const char *creds = "[default]\nk = creds\n",
		   *config = "[default]\nk = config\nl = 1\n[profile default]\nm = 2\n";
	assert_int_equal(aws_config_parse(&c, creds, strlen(creds), true, &e), 0);
	assert_int_equal(aws_config_parse(&c, config, strlen(config), false, &e), 0);
	const struct aws_section *s = aws_config_section(&c, AWS_PROFILE, "default");
	assert_string_equal(aws_section_get(s, "k"), "creds");
	assert_null(aws_section_get(s, "l"));
	assert_string_equal(aws_section_get(s, "m"), "2");
	aws_config_release(&c);
}

static void raw_keeps_quotes(void **state)
{
	(void)state;
	struct aws_config c = { 0 };
	struct err e = { 0 };
	const char *text = "[default]\ncredential_process = \"/opt/my tool\"\n";
	assert_int_equal(aws_config_parse(&c, text, strlen(text), false, &e), 0);
	const struct aws_section *s = aws_config_section(&c, AWS_PROFILE, "default");
	assert_string_equal(aws_section_get(s, "credential_process"), "/opt/my tool");
	assert_string_equal(aws_section_raw(s, "credential_process"), "\"/opt/my tool\"");
	aws_config_release(&c);
}

static void too_many_sections(void **state)
{
	(void)state;
	struct buf text = BUF_INIT(BUF_MAX_FILE);
	for (int i = 0; i <= AWS_CONFIG_MAX_SECTIONS; i++)
		buf_printf(&text, "[p%d]\n", i);
	struct aws_config c = { 0 };
	struct err e = { 0 };
	assert_int_equal(aws_config_parse(&c, text.p, text.len, true, &e), -1);
	assert_non_null(strstr(e.msg, "too many profiles"));
	aws_config_release(&c);
	buf_release(&text);
}

static int load(const char *root, cJSON *vars, const char *profile, struct aws_config *c, struct err *e)
{
	struct aws_env env = { .get = env_of_json, .arg = vars, .root = root };
	return aws_config_load(c, &env, profile, e);
}

static void loads_files_of_a_home(void **state)
{
	(void)state;
	char root[64];
	struct aws_config c;
	struct err e = { 0 };
	make_root(root);
	root_file(root, "home/.aws/config", "[profile p]\nregion = eu-west-1\n");
	root_file(root, "home/.aws/credentials", "[q]\nregion = eu-west-2\n");
	cJSON *vars = cJSON_Parse("{\"HOME\":\"/home\",\"AWS_PROFILE\":\"p\"}");
	assert_int_equal(load(root, vars, NULL, &c, &e), 0);
	assert_true(c.profile_named && !c.profile_explicit);
	assert_string_equal(aws_config_get(&c, "region"), "eu-west-1");
	aws_config_release(&c);
	assert_int_equal(load(root, vars, "q", &c, &e), 0);
	assert_true(c.profile_named && c.profile_explicit);
	assert_string_equal(aws_config_get(&c, "region"), "eu-west-2");
	aws_config_release(&c);

	assert_int_equal(load(root, vars, "nobody", &c, &e), -1);
	assert_int_equal(e.cls, ERR_USAGE);
	assert_non_null(strstr(e.msg, "\"nobody\""));
	assert_null(c.v);

	root_file(root, "home/.aws/config", "[profile p\n");
	assert_int_equal(load(root, vars, "q", &c, &e), -1);
	assert_non_null(strstr(e.msg, "/home/.aws/config: line 1:"));
	cJSON_Delete(vars);
	drop_root(root);

	vars = cJSON_Parse("{\"HOME\":\"/nowhere\"}");
	assert_int_equal(load(root, vars, NULL, &c, &e), 0);
	assert_string_equal(c.profile, "default");
	assert_int_equal(c.n, 0);
	aws_config_release(&c);
	cJSON_Delete(vars);
}

static void files_have_a_ceiling(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(BUF_MAX_FILE);
	struct err e = { 0 };
	assert_int_equal(aws_env_file(NULL, "/dev/zero", &out, &e), -1);
	assert_int_equal(e.cls, ERR_USAGE);
	buf_release(&out);
	assert_int_equal(aws_env_file(NULL, "/nowhere/at/all", &out, &e), -1);
	assert_string_equal(e.code, "not-found");
	assert_non_null(strstr(e.msg, "failed to read `/nowhere/at/all`"));
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profile_parser_suite),
		cmocka_unit_test(file_locations),
		cmocka_unit_test(go_ini_valid),
		cmocka_unit_test(go_ini_invalid),
		cmocka_unit_test(go_config_files),
		cmocka_unit_test(botocore_cfg),
		cmocka_unit_test(own_rows),
		cmocka_unit_test(credentials_win_in_either_order),
		cmocka_unit_test(raw_keeps_quotes),
		cmocka_unit_test(too_many_sections),
		cmocka_unit_test(loads_files_of_a_home),
		cmocka_unit_test(files_have_a_ceiling),
	};
	return cmocka_run_group_tests_name("aws_config", tests, NULL, NULL);
}
