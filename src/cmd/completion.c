/* completion.c - completions for bash, zsh and fish, from the option tables. */
#include "cmd/cmd.h"
#include <string.h>

/* What follows an option: files, folders, one of some words, or free text. */
enum value { VALUE_NONE, VALUE_FREE, VALUE_FILE, VALUE_DIR, VALUE_WORDS };

static enum value value_of(const struct opt *o)
{
	if (!o->arg)
		return VALUE_NONE;
	if (!o->choices)
		return VALUE_FREE;
	if (strcmp(o->choices, "FILE") == 0)
		return VALUE_FILE;
	return strcmp(o->choices, "DIR") == 0 ? VALUE_DIR : VALUE_WORDS;
}

/* The words of "a|b|c" with another separator. */
static void words(struct buf *b, const char *choices, char between)
{
	for (const char *p = choices; *p; p++)
		buf_char(b, *p == '|' ? between : *p);
}

/* The words that may come first among a command's operands: of "get KEY | set KEY JSON" get and set. */
static bool operand_words(struct buf *b, const struct cmd *c)
{
	static const char small[] = "abcdefghijklmnopqrstuvwxyz";
	size_t before = b->len;
	for (const char *p = c->operands; p; p = strchr(p, '|')) {
		p += strspn(p, "| ");
		size_t n = strspn(p, small);
		if (n && (p[n] == ' ' || !p[n])) {
			buf_str(b, b->len > before ? " " : "");
			buf_add(b, p, n);
		}
	}
	return b->len > before;
}

static void command_words(struct buf *b)
{
	for (size_t i = 0; commands[i]; i++)
		buf_printf(b, "%s%s", i ? " " : "", commands[i]->name);
}

/* Help texts stand inside single quotes in all three languages. */
static void quoted(struct buf *b, const char *text, const char *escape)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\'')
			buf_str(b, "'\\'");
		else if (strchr(escape, *p))
			buf_char(b, '\\');
		buf_char(b, *p);
	}
}

typedef void each_option(struct buf *b, const struct cmd *c, const struct opt *o);

static void options(struct buf *b, const struct cmd *c, each_option *fn)
{
	for (const struct opt *o = c->opts; o->name; o++)
		fn(b, c, o);
	for (const struct opt *o = common_table(c->flags); o->name; o++)
		fn(b, c, o);
}

static void bash_name(struct buf *b, const struct cmd *c, const struct opt *o)
{
	(void)c;
	buf_printf(b, " --%s", o->name);
}

static void bash_value(struct buf *b, const struct cmd *c, const struct opt *o)
{
	enum value v = value_of(o);
	if (v == VALUE_NONE)
		return;
	buf_printf(b, "\t%s:--%s", c->name, o->name);
	if (o->short_name)
		buf_printf(b, " | %s:-%c", c->name, o->short_name);
	buf_str(b, v == VALUE_FILE   ? ") COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
		   : v == VALUE_DIR  ? ") COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n"
		   : v == VALUE_FREE ? ") COMPREPLY=() ;;\n"
				     : ") COMPREPLY=($(compgen -W '");
	if (v == VALUE_WORDS) {
		words(b, o->choices, ' ');
		buf_str(b, "' -- \"$cur\")) ;;\n");
	}
}

static void bash_operands(struct buf *b)
{
	struct buf w = BUF_INIT(BUF_MAX_SMALL);
	for (size_t i = 0; commands[i]; i++) {
		buf_reset(&w);
		if (operand_words(&w, commands[i]))
			buf_printf(b, "\t\t%s:0) COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n",
				commands[i]->name, w.p);
	}
	buf_release(&w);
	buf_str(b, "\t\thelp:0) COMPREPLY=($(compgen -W '");
	command_words(b);
	buf_str(b, "' -- \"$cur\")) ;;\n");
}

static void bash(struct buf *b)
{
	buf_str(b, "# bash completion for recagent, made by `recagent completion bash`\n"
		   "# shellcheck shell=bash disable=SC2207\n"
		   "_recagent() {\n"
		   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
		   "\tlocal cmd=${COMP_WORDS[1]} self=${COMP_WORDS[0]##*/} first=2\n"
		   "\tCOMPREPLY=()\n"
		   "\tif [[ $self == recagent-* ]]; then\n\t\tcmd=${self#recagent-}\n\t\tfirst=1\n"
		   "\telif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '");
	command_words(b);
	buf_str(b, " help version' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $cmd:$prev in\n");
	for (size_t i = 0; commands[i]; i++)
		options(b, commands[i], bash_value);
	buf_str(b, "\t*)\n\t\tcase $cmd:$((COMP_CWORD - first)) in\n");
	bash_operands(b);
	buf_str(b, "\t\t*) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n\t\tesac\n"
		   "\t\t[[ $cur == -* ]] || return\n\t\tcase $cmd in\n");
	for (size_t i = 0; commands[i]; i++) {
		buf_printf(b, "\t\t%s) COMPREPLY=($(compgen -W '", commands[i]->name);
		options(b, commands[i], bash_name);
		buf_str(b, "' -- \"$cur\")) ;;\n");
	}
	buf_str(b, "\t\tesac\n\t\t;;\n\tesac\n}\ncomplete -o filenames -F _recagent recagent");
	for (size_t i = 0; commands[i]; i++)
		buf_printf(b, " recagent-%s", commands[i]->name);
}

static void zsh_option(struct buf *b, const struct cmd *c, const struct opt *o)
{
	enum value v = value_of(o);
	(void)c;
	const char *star = o->type == OPT_LIST || o->type == OPT_COUNT ? "*" : "";
	buf_str(b, " \\\n\t\t\t");
	if (o->short_name)
		buf_printf(b, "%s{-%c,--%s}'[", star[0] ? "\\*" : "", o->short_name, o->name);
	else
		buf_printf(b, "'%s--%s[", star, o->name);
	quoted(b, o->help, "[]:");
	buf_char(b, ']');
	if (v != VALUE_NONE)
		buf_printf(b, ":%s:", o->arg);
	if (v == VALUE_FILE)
		buf_str(b, "_files");
	else if (v == VALUE_DIR)
		buf_str(b, "_files -/");
	else if (v == VALUE_WORDS) {
		buf_char(b, '(');
		words(b, o->choices, ' ');
		buf_char(b, ')');
	}
	buf_char(b, '\'');
}

static void zsh(struct buf *b)
{
	struct buf w = BUF_INIT(BUF_MAX_SMALL);
	buf_str(b, "#compdef recagent");
	for (size_t i = 0; commands[i]; i++)
		buf_printf(b, " recagent-%s", commands[i]->name);
	buf_str(b, "\n# zsh completion for recagent, made by `recagent completion zsh`\n_recagent() {\n"
		   "\tlocal cmd=${service#recagent-}\n"
		   "\tif [[ $service == recagent ]]; then\n"
		   "\t\tif (( CURRENT == 2 )); then\n\t\t\tlocal -a cmds=(\n");
	for (size_t i = 0; commands[i]; i++) {
		buf_printf(b, "\t\t\t\t'%s:", commands[i]->name);
		quoted(b, commands[i]->summary, ":");
		buf_str(b, "'\n");
	}
	buf_str(b, "\t\t\t\t'help:show help'\n\t\t\t\t'version:show the version'\n\t\t\t)\n"
		   "\t\t\t_describe command cmds\n\t\t\treturn\n\t\tfi\n"
		   "\t\tcmd=$words[2]\n\t\tshift words\n\t\t(( CURRENT-- ))\n\tfi\n\tcase $cmd in\n");
	for (size_t i = 0; commands[i]; i++) {
		buf_printf(b, "\t%s)\n\t\t_arguments -s", commands[i]->name);
		options(b, commands[i], zsh_option);
		buf_reset(&w);
		if (operand_words(&w, commands[i]))
			buf_printf(b, " \\\n\t\t\t'1:argument:(%s)'", w.p);
		buf_str(b, " \\\n\t\t\t'*:argument:_files'\n\t\t;;\n");
	}
	buf_release(&w);
	buf_str(b, "\thelp)\n\t\tcompadd ");
	command_words(b);
	buf_str(b, "\n\t\t;;\n\tesac\n}\n_recagent \"$@\"");
}

static void fish_option(struct buf *b, const struct cmd *c, const struct opt *o)
{
	enum value v = value_of(o);
	buf_printf(b, "complete -c recagent -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
	if (o->short_name)
		buf_printf(b, " -s %c", o->short_name);
	if (v == VALUE_FILE)
		buf_str(b, " -r -F");
	else if (v == VALUE_DIR)
		buf_str(b, " -x -a '(__fish_complete_directories)'");
	else if (v == VALUE_FREE)
		buf_str(b, " -x");
	else if (v == VALUE_WORDS) {
		buf_str(b, " -x -a '");
		words(b, o->choices, ' ');
		buf_char(b, '\'');
	}
	buf_str(b, " -d '");
	quoted(b, o->help, "\\");
	buf_str(b, "'\n");
}

static void fish_operands(struct buf *b)
{
	static const char line[] = "complete -c recagent -f -n '__fish_seen_subcommand_from %s' -a '";
	struct buf w = BUF_INIT(BUF_MAX_SMALL);
	for (size_t i = 0; commands[i]; i++) {
		buf_reset(&w);
		if (operand_words(&w, commands[i])) {
			buf_printf(b, line, commands[i]->name);
			buf_printf(b, "%s'\n", w.p);
		}
	}
	buf_release(&w);
	buf_printf(b, line, "help");
	command_words(b);
	buf_str(b, "'\n");
}

static void fish(struct buf *b)
{
	buf_str(b, "# fish completion for recagent, made by `recagent completion fish`\n");
	for (size_t i = 0; commands[i]; i++) {
		buf_printf(
			b, "complete -c recagent -f -n __fish_use_subcommand -a %s -d '", commands[i]->name);
		quoted(b, commands[i]->summary, "\\");
		buf_str(b, "'\n");
	}
	buf_str(b, "complete -c recagent -f -n __fish_use_subcommand -a help -d 'show help'\n"
		   "complete -c recagent -f -n __fish_use_subcommand -a version -d 'show the version'\n");
	for (size_t i = 0; commands[i]; i++)
		options(b, commands[i], fish_option);
	fish_operands(b);
	b->len--; /* the line's end is written with it */
}

static enum exit_code run(struct ctx *c, int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(struct buf *b);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
	struct buf b = BUF_INIT((size_t)1 << 20);
	struct err e = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (argc == 1 && strcmp(argv[0], shells[i].name) == 0)
			shells[i].print(&b);
	int rc = b.len ? out_line(c->out, b.p, b.len, &e)
		       : err_set(&e, ERR_USAGE, "", "bash, zsh or fish? see recagent completion --help");
	buf_release(&b);
	return rc ? fail(&e) : EXIT_DONE;
}

static const struct opt table[] = { { 0 } };

const struct cmd cmd_completion = {
	.name = "completion",
	.summary = "print completions for a shell",
	.operands = "bash | zsh | fish",
	.opts = table,
	.into = NULL,
	.run = run,
};
