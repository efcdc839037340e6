/* xml.c - the few XML answers as a flat list of paths, over expat. */
#include "net/xml.h"
#include "base/mem.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 32
#define MAX_PATH 4096u

struct reader {
	XML_Parser parser;
	xml_on_element *fn;
	void *arg;
	struct buf path, text;
	size_t starts[MAX_DEPTH]; /* where each open element's name begins in path */
	int depth;
	bool leaf; /* the innermost open element has had no child so far */
	const char *why;
};

static void give_up(struct reader *r, const char *why)
{
	r->why = r->why ? r->why : why;
	XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	const char *colon = strrchr(name, ':');

	(void)attributes;
	if (r->depth == MAX_DEPTH) {
		give_up(r, "nested too deep");
		return;
	}
	r->starts[r->depth++] = r->path.len;
	if (r->path.len)
		buf_char(&r->path, '/');
	if (!buf_str(&r->path, colon ? colon + 1 : name))
		give_up(r, "names too long");
	buf_reset(&r->text);
	r->leaf = true;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;

	(void)name;
	if (r->why)
		return;
	r->fn(r->path.p, !r->leaf ? NULL : r->text.p ? r->text.p : "", r->arg);
	r->path.len = r->starts[--r->depth];
	if (r->path.p)
		r->path.p[r->path.len] = 0;
	r->leaf = false;
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int n)
{
	struct reader *r = arg;

	if (r->leaf && !buf_add(&r->text, s, (size_t)n))
		give_up(r, "text too long");
}

/* A service never sends one; it is where entities that grow or that name files would come from. */
static void XMLCALL on_doctype(
	void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
	(void)name, (void)system, (void)public, (void)internal;
	give_up(arg, "it has a document type");
}

int xml_read(const char *p, size_t n, xml_on_element *fn, void *arg, struct err *e)
{
	struct reader r = {
		.fn = fn, .arg = arg, .path = BUF_INIT(MAX_PATH), .text = BUF_INIT(BUF_MAX_SMALL)
	};
	enum XML_Status status = XML_STATUS_ERROR;
	int rc = 0;

	if (n > BUF_MAX_HTTP)
		return err_set(e, ERR_FAILED, "bad-xml", "XML answer too large");
	/* S3 keeps a slow answer alive with white space before the declaration. */
	for (; n && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'); n--)
		p++;
	r.parser = XML_ParserCreate(NULL);
	if (!r.parser)
		return err_set(e, ERR_LOCAL, "memory", "cannot set up expat");
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	status = XML_Parse(r.parser, p, (int)n, XML_TRUE);
	if (status != XML_STATUS_OK)
		rc = err_set(e, ERR_FAILED, "bad-xml", "bad XML answer, line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber(r.parser),
			r.why ? r.why : XML_ErrorString(XML_GetErrorCode(r.parser)));
	XML_ParserFree(r.parser);
	buf_release(&r.path);
	buf_release(&r.text);
	return rc;
}

struct search {
	const char *path;
	struct buf *out;
	bool found;
};

static void match(const char *path, const char *text, void *arg)
{
	struct search *s = arg;

	if (s->found || !text || strcmp(path, s->path) != 0)
		return;
	s->found = buf_str(s->out, text);
}

bool xml_find(const char *p, size_t n, const char *path, struct buf *out)
{
	struct search s = { path, out, false };
	size_t before = out->len;

	if (!xml_read(p, n, match, &s, NULL))
		return s.found;
	out->len = before;
	if (out->p)
		out->p[before] = 0;
	return false;
}
