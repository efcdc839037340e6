/* config_fuzz.c - libFuzzer target: any text as an AWS config or credentials file.
 *
 * The bytes up to the first 0x01 are the config file, what follows is the credentials file. Checked: no bad
 * access, no leak, refusals are ERR_USAGE with a line; every key is in lower case, names are those of
 * the grammar; a profile resolves to a chain of the right form and to an endpoint without odd bytes. */
#include "aws/cred_profile.h"
#include "aws/endpoint.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static const char *no_variable(const char *name, void *arg)
{
	(void)name, (void)arg;
	return NULL;
}

static void check_properties(const struct aws_property *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		must(v[i].key && *v[i].key && v[i].value && v[i].raw &&
			v[i].nsub <= AWS_CONFIG_MAX_PROPERTIES);
		for (const char *p = v[i].key; *p; p++)
			must(*p != '\n' && *p != '=' && !(*p >= 'A' && *p <= 'Z'));
		must(v[i].nsub == 0 || v[i].value[0] == '\0');
		check_properties(v[i].sub, v[i].nsub);
	}
}

static void check_chain(const struct aws_config *c, const char *profile)
{
	struct cred_chain chain;
	struct err e = { 0 };
	int rc = cred_chain_resolve(c, profile, &chain, &e);
	if (rc <= 0) {
		must(e.cls == ERR_USAGE && e.msg[0]);
		return;
	}
	must(chain.n >= 1 && chain.n <= CRED_CHAIN_MAX && chain.v[0].kind != CRED_ROLE);
	for (size_t i = 1; i < chain.n; i++)
		must(chain.v[i].kind == CRED_ROLE && chain.v[i].role_arn);
}

static void check_endpoint(const struct aws_config *c)
{
	struct aws_env env = { .get = no_variable };
	struct aws_endpoint_params p = { .region = aws_config_get(c, "region"),
		.arn = aws_config_get(c, "arn") };
	struct aws_endpoint out;
	struct err e = { 0 };
	for (int s = 0; s < AWS_SERVICE_COUNT; s++) {
		if (aws_endpoint_resolve((enum aws_service)s, c, &env, &p, &out, &e) < 0) {
			must(e.cls == ERR_USAGE && e.msg[0]);
			continue;
		}
		must(strncmp(out.url, "http", 4) == 0 && !strpbrk(out.url, " \t\r\n?#@\\"));
		must(aws_host_label(out.signing_region));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *cut = n ? memchr(data, 1, n) : NULL;
	size_t first = cut ? (size_t)(cut - data) : n;
	struct aws_config c = { 0 };
	struct err e = { 0 };
	char *text = mem_dup(data, n);
	int rc = aws_config_parse(&c, text, first, false, &e);
	if (cut && rc == 0)
		rc = aws_config_parse(&c, text + first + 1, n - first - 1, true, &e);
	must(rc == 0 || (e.cls == ERR_USAGE && e.msg[0]));
	free(text);
	must(c.n <= AWS_CONFIG_MAX_SECTIONS);
	for (size_t i = 0; i < c.n; i++) {
		must(c.v[i].name[0] && c.v[i].n <= AWS_CONFIG_MAX_PROPERTIES);
		check_properties(c.v[i].v, c.v[i].n);
	}
	for (size_t i = 0; i < c.n && i < 64; i++) {
		free(c.profile);
		c.profile = mem_strdup(c.v[i].name);
		check_chain(&c, c.profile);
		check_endpoint(&c);
	}
	aws_config_release(&c);
	return 0;
}
