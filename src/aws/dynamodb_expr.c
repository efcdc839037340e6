/* dynamodb_expr.c - condition and update expressions from the table contract's tests and changes. */
#include "aws/dynamodb_priv.h"

#include <stdio.h>
#include <string.h>

struct placeholder {
	char text[16];
};

/* The same attribute gets the same placeholder: unused and doubled ones are refused by the service. */
static struct placeholder name_of(struct expression *x, const char *attr)
{
	struct placeholder p;
	const cJSON *old;

	if (!x->names)
		x->names = cJSON_CreateObject();
	cJSON_ArrayForEach(old, x->names) if (!strcmp(old->valuestring, attr))
	{
		snprintf(p.text, sizeof p.text, "%s", old->string);
		return p;
	}
	snprintf(p.text, sizeof p.text, "#n%u", x->n++);
	cJSON_AddStringToObject(x->names, p.text, attr);
	return p;
}

static struct placeholder value_of(struct expression *x, const cJSON *value)
{
	struct placeholder p;

	if (!x->values)
		x->values = cJSON_CreateObject();
	snprintf(p.text, sizeof p.text, ":v%u", x->v++);
	cJSON_AddItemToObject(x->values, p.text, cJSON_Duplicate(value, true));
	return p;
}

static void add_test(struct expression *x, const struct cond_test *t, struct buf *out)
{
	static const char *const signs[] = {
		[COND_EQ] = "=", [COND_LT] = "<", [COND_LE] = "<=", [COND_GT] = ">"
	};
	struct placeholder n = name_of(x, t->attr);

	switch (t->op) {
	case COND_EXISTS: buf_printf(out, "attribute_exists(%s)", n.text); return;
	case COND_MISSING: buf_printf(out, "attribute_not_exists(%s)", n.text); return;
	default: buf_printf(out, "%s %s %s", n.text, signs[t->op], value_of(x, t->value).text); return;
	}
}

void expression_condition(struct expression *x, const struct cond *c, cJSON *body)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);

	if (!c || !c->n)
		return;
	for (size_t i = 0; i < c->n; i++) {
		if (i)
			buf_str(&text, c->any ? " OR " : " AND ");
		add_test(x, &c->v[i], &text);
	}
	cJSON_AddStringToObject(body, "ConditionExpression", text.p);
	buf_release(&text);
}

enum clause { CLAUSE_SET, CLAUSE_ADD, CLAUSE_REMOVE };

static enum clause clause_of(const struct change *c)
{
	return !c->value ? CLAUSE_REMOVE : c->add ? CLAUSE_ADD : CLAUSE_SET;
}

static void add_clause(struct expression *x, const struct changes *ch, enum clause which, struct buf *out)
{
	static const char *const words[] = { "SET ", "ADD ", "REMOVE " };
	bool first = true;

	for (size_t i = 0; i < ch->n; i++) {
		const struct change *c = &ch->v[i];
		if (clause_of(c) != which)
			continue;
		buf_str(out, !first ? ", " : out->len ? " " : "");
		buf_str(out, first ? words[which] : "");
		buf_str(out, name_of(x, c->attr).text);
		if (which != CLAUSE_REMOVE)
			buf_printf(
				out, "%s%s", which == CLAUSE_SET ? " = " : " ", value_of(x, c->value).text);
		first = false;
	}
}

void expression_update(struct expression *x, const struct changes *ch, cJSON *body)
{
	struct buf text = BUF_INIT(BUF_MAX_SMALL);

	add_clause(x, ch, CLAUSE_SET, &text);
	add_clause(x, ch, CLAUSE_ADD, &text);
	add_clause(x, ch, CLAUSE_REMOVE, &text);
	if (text.len)
		cJSON_AddStringToObject(body, "UpdateExpression", text.p);
	buf_release(&text);
}

void expression_finish(struct expression *x, cJSON *body)
{
	if (x->names)
		cJSON_AddItemToObject(body, "ExpressionAttributeNames", x->names);
	if (x->values)
		cJSON_AddItemToObject(body, "ExpressionAttributeValues", x->values);
	*x = (struct expression){ 0 };
}
