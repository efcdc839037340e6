/* answer.h - find and check the recommendations in what a model said.
 *
 * The text may be prose, fenced, chatty, cut off. answer_json finds the JSON value in it; answer_parse
 * turns it into valid items. Never invents: a value comes out as it stands in the text, with slips of one
 * meaning undone, or as whole items of a broken list. Time is near-linear in n. Pure. */
#ifndef RECAGENT_REC_ANSWER_H
#define RECAGENT_REC_ANSWER_H

#include "base/json.h"

enum answer_how {
	ANSWER_NONE,     /* nothing in the text that is surely its answer */
	ANSWER_STRICT,   /* the whole text is one JSON value */
	ANSWER_FOUND,    /* a strict value inside prose, a fence, tags */
	ANSWER_REPAIRED, /* slips with one meaning undone: trailing comma, comments, Python literals, ... */
	ANSWER_TRUNCATED /* whole items of a list whose end is missing or broken */
};

/* The JSON value in text that is meant as the answer; its text, strict, appended to json (as it stands
 * in the text unless how is ANSWER_REPAIRED or later). The value that fills the text; else, best first:
 * one that fills a fence named json or a tag like <answer>, one that fills another fence, one in prose;
 * never one inside another, and those in <thinking> or that are a schema last. The first of equals.
 * Objects on lines of their own are an array. Two different values side by side, and a value behind
 * which broken JSON follows, are no answer. prefer_array: arrays of objects first, values that hold one
 * next; a broken list of objects is salvaged. Looks at 64 values and at 32 brackets that turn out to be
 * prose; texts above BUF_MAX_ANSWER are ANSWER_NONE. */
enum answer_how answer_json(const char *text, size_t n, bool prefer_array, struct buf *json);

struct answer {
	cJSON *items; /* array of {item_id, category, reasoning, confidence_score}; numbers raw; owned */
	size_t valid, invalid, duplicates;
	enum answer_how how;
};
/* Take the items out of a model's answer. The list is the array of objects itself, an array in the
 * object (however it is called, two levels down at most), objects on lines, or one object alone. Of each
 * item only these members are kept:
 *   item_id           string, or number made a string; 1 to 256 characters, no controls
 *   category          string, controls made spaces, cut at 256 characters; absent or null: ""
 *   reasoning         string, controls made spaces, cut at 1000 characters; absent or null: ""
 *   confidence_score  or confidence: number from 0 to 1 with its text kept, or such a number in a string;
 *                     absent or null: left out. Anything else (90, "90%") makes the item invalid.
 * An item_id that occurs again is dropped, the first wins. The first count valid items are kept and
 * counted; what stands behind them is not looked at. -1 ERR_FAILED with code "no-json", "no-valid-item"
 * and the first reason; a.items is then NULL. */
int answer_parse(const char *text, size_t n, size_t count, struct answer *a, struct err *e);
void answer_release(struct answer *a);

#endif
