/* xml_test.c - the answers of S3 and STS as paths, and what must not get through. */
#include "base/mem.h"
#include "net/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void note(const char *path, const char *text, void *arg)
{
	if (text)
		buf_printf(arg, "%s=%s\n", path, text);
	else
		buf_printf(arg, "%s end\n", path);
}

static void test_list(void **state)
{
	static const char doc[] =
		" \n\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
		"  <Name>b</Name><Prefix/><IsTruncated>false</IsTruncated>\n"
		"  "
		"<Contents><Key>a&amp;b&#x20;&lt;c&gt;</Key><Size>1</Size><Owner><ID>o</ID></Owner></"
		"Contents>\n"
		"  <Contents><Key><![CDATA[<x> ]]>\xc3\xa9</Key></Contents><!-- note -->\n"
		"  <s:CommonPrefixes xmlns:s=\"u\"><s:Prefix a=\"b\">p/</s:Prefix></s:CommonPrefixes>\n"
		"</ListBucketResult>\n";
	struct buf got = BUF_INIT(BUF_MAX_SMALL);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(xml_read(doc, sizeof doc - 1, note, &got, &e), 0);
	assert_string_equal(got.p, "ListBucketResult/Name=b\n"
				   "ListBucketResult/Prefix=\n"
				   "ListBucketResult/IsTruncated=false\n"
				   "ListBucketResult/Contents/Key=a&b <c>\n"
				   "ListBucketResult/Contents/Size=1\n"
				   "ListBucketResult/Contents/Owner/ID=o\n"
				   "ListBucketResult/Contents/Owner end\n"
				   "ListBucketResult/Contents end\n"
				   "ListBucketResult/Contents/Key=<x> \xc3\xa9\n"
				   "ListBucketResult/Contents end\n"
				   "ListBucketResult/CommonPrefixes/Prefix=p/\n"
				   "ListBucketResult/CommonPrefixes end\n"
				   "ListBucketResult end\n");
	buf_release(&got);
}

static void test_find(void **state)
{
	static const char doc[] = "<r><a><b>first</b><b>second</b></a><c/><d> x <e/> y </d></r>";
	static const struct {
		const char *path, *want;
	} rows[] = {
		{ "r/a/b", "first" },
		{ "r/c", "" },
		{ "r/a", NULL },
		{ "r/d", NULL },
		{ "r", NULL },
		{ "a/b", NULL },
		{ "r/a/b/", NULL },
		{ "r/A/b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(BUF_MAX_SMALL);
		bool found;
		buf_str(&out, "before:");
		found = xml_find(doc, sizeof doc - 1, rows[i].path, &out);
		if (found != (rows[i].want != NULL) ||
			strcmp(out.p + 7, rows[i].want ? rows[i].want : "") != 0)
			fail_msg("%s: %s", rows[i].path, out.p);
		buf_release(&out);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *name, *doc;
	} rows[] = {
		{ "empty", "" },
		{ "blank", " \n " },
		{ "not XML", "Service Unavailable" },
		{ "cut", "<r><a>text</a>" },
		{ "cut inside a tag", "<r><a" },
		{ "crossed", "<r><a></r></a>" },
		{ "two roots", "<r/><r/>" },
		{ "bad UTF-8", "<r>\xff</r>" },
		{ "control character", "<r>\x01</r>" },
		{ "unknown entity", "<r>&nbsp;</r>" },
		{ "html", "<html><body><br></body></html>" },
		{ "document type alone", "<!DOCTYPE r><r/>" },
		{ "external document type", "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>" },
		{ "external entity", "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r>&x;</r>" },
		{ "billion laughs",
			"<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
			"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d "
			"\"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">"
			"<!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f "
			"\"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">"
			"<!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY h "
			"\"&g;&g;&g;&g;&g;&g;&g;&g;&g;&g;\">"
			"]><r>&h;&h;&h;&h;&h;&h;&h;&h;&h;&h;</r>" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf got = BUF_INIT(BUF_MAX_SMALL);
		struct err e = { 0 };
		if (xml_read(rows[i].doc, strlen(rows[i].doc), note, &got, &e) != -1)
			fail_msg("%s: accepted", rows[i].name);
		if (e.cls != ERR_FAILED || strcmp(e.code, "bad-xml") != 0)
			fail_msg("%s: %s %s", rows[i].name, e.code, e.msg);
		if (got.p && strstr(got.p, "ha"))
			fail_msg("%s: an entity was used", rows[i].name);
		buf_release(&got);
	}
	struct buf out = BUF_INIT(BUF_MAX_SMALL);
	assert_false(xml_find("<r><a>x</a>", 11, "r/a", &out)); /* cut: nothing in it is believed */
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

static int read_repeated(const char *open, const char *middle, const char *close, int n)
{
	struct buf doc = BUF_INIT(BUF_MAX_FILE), got = BUF_INIT(BUF_MAX_FILE);
	struct err e = { 0 };
	int rc;

	for (int i = 0; i < n; i++)
		buf_str(&doc, open);
	buf_str(&doc, middle);
	for (int i = 0; i < n; i++)
		buf_str(&doc, close);
	rc = xml_read(doc.p, doc.len, note, &got, &e);
	buf_release(&doc);
	buf_release(&got);
	return rc;
}

static void test_limits(void **state)
{
	char *text = mem_alloc(BUF_MAX_SMALL + 8), *name = mem_alloc(5000);
	struct buf doc = BUF_INIT(BUF_MAX_FILE);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(read_repeated("<a>", "x", "</a>", 32), 0);
	assert_int_equal(read_repeated("<a>", "x", "</a>", 33), -1);
	assert_int_equal(read_repeated("<a>", "x", "</a>", 100000), -1);
	memset(text, 'x', BUF_MAX_SMALL + 1);
	buf_printf(&doc, "<r>%s</r>", text);
	assert_int_equal(xml_read(doc.p, doc.len, note, &(struct buf){ .max = BUF_MAX_FILE }, &e), -1);
	buf_reset(&doc);
	memset(name, 'n', 4999);
	buf_printf(&doc, "<%s/>", name);
	assert_int_equal(xml_read(doc.p, doc.len, note, &(struct buf){ .max = BUF_MAX_FILE }, &e), -1);
	buf_release(&doc);
	free(text);
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
