/* answer.h - find and check the recommendations in what a model said.
 *
 * The text may be prose, fenced, chatty, cut off. answer_json finds the JSON value in it; answer_parse turns it into
 * valid items. Never invents: a value comes out only as it stands in the text, or as whole items of a truncated array.
 * Pure. */
#ifndef RECAGENT_REC_ANSWER_H
#define RECAGENT_REC_ANSWER_H

#include "base/json.h"

enum answer_how {
	ANSWER_NONE,   /* no JSON container in the text */
	ANSWER_STRICT, /* the whole text is one JSON value */
	ANSWER_FOUND,  /* a strict value inside prose, a fence, tags */
	ANSWER_REPAIRED, /* slips undone that have one meaning only: trailing comma, comments, Python literals, ... */
	ANSWER_TRUNCATED /* whole items of an array whose end is missing */
};

/* The best JSON value in text: the one that fills it; else the value meant as the answer (of several the last fenced or
 * largest; arrays of objects first when prefer_array). json: its text, strict, appended. */
enum answer_how answer_json(const char *text, size_t n, bool prefer_array, struct buf *json);

struct answer {
	cJSON *items; /* plain array of {"item_id","category","reasoning","confidence_score"}; numbers raw; owned */
	size_t valid, invalid, duplicates;
	enum answer_how how;
};
/* Validate: item_id (string, or number made a string) 1..256 characters without controls; category string (absent: ""); reasoning
 * string, controls made spaces, at most 1000 characters; confidence_score or confidence a number 0..1 (absent: left out). Items
 * with other members keep only these. Duplicates by item_id dropped, first wins; at most count items.
 * -1 ERR_FAILED with code "no-json", "no-valid-item" and the first reason; a.items is then NULL. */
int answer_parse(const char *text, size_t n, size_t count, struct answer *a, struct err *e);
void answer_release(struct answer *a);

#endif
