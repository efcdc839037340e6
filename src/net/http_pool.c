/* http_pool.c - http_client: its settings and its pool of connections. */
#include "net/http_pool.h"
#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SYSTEM_CA_DIR "/etc/ssl/certs"

static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void load_libcurl(void)
{
	curl_global_init(CURL_GLOBAL_SSL);
}

/* OpenSSL finds a certificate in a directory by a name such as 3513523f.0. */
static bool is_hashed_dir(const char *path)
{
	DIR *d = opendir(path);
	bool found = false;

	if (!d)
		return false;
	for (struct dirent *ent; !found && (ent = readdir(d));) {
		const char *n = ent->d_name;
		size_t hex = strspn(n, "0123456789abcdef");
		found = hex == 8 && n[8] == '.' && isdigit((unsigned char)n[9]);
	}
	closedir(d);
	return found;
}

/* A directory is looked into for the one certificate that is needed; a bundle is parsed whole, which costs
 * a short command more than all else that it does. So the system's directory goes before its bundle. */
static void choose_ca(struct http_client *c, const char *ca_bundle)
{
	struct stat st;

	if (ca_bundle && !stat(ca_bundle, &st) && S_ISDIR(st.st_mode))
		c->ca_dir = mem_strdup(ca_bundle);
	else if (ca_bundle)
		c->ca_file = mem_strdup(ca_bundle);
	else if (is_hashed_dir(SYSTEM_CA_DIR))
		c->ca_dir = mem_strdup(SYSTEM_CA_DIR);
}

struct http_client *http_client_new(const struct http_conf *conf)
{
	struct http_client *c = mem_alloc(sizeof *c);

	pthread_once(&loaded, load_libcurl);
	c->timeouts = conf->timeouts;
	c->user_agent = mem_strdup(conf->user_agent);
	c->no_proxy = conf->no_proxy;
	choose_ca(c, conf->ca_bundle);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void conn_free(struct http_conn *conn)
{
	curl_easy_cleanup(conn->easy);
	curl_multi_cleanup(conn->multi);
	free(conn);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	while (c->idle) {
		struct http_conn *conn = c->idle;
		c->idle = conn->next;
		conn_free(conn);
	}
	pthread_mutex_destroy(&c->lock);
	free(c->ca_file);
	free(c->ca_dir);
	free(c->user_agent);
	free(c);
}

static struct http_conn *conn_new(void)
{
	struct http_conn *conn = mem_alloc(sizeof *conn);

	conn->easy = curl_easy_init();
	conn->multi = curl_multi_init();
	if (conn->easy && conn->multi)
		return conn;
	curl_easy_cleanup(conn->easy);
	if (conn->multi)
		curl_multi_cleanup(conn->multi);
	free(conn);
	return NULL;
}

struct http_conn *http_conn_take(struct http_client *c, unsigned long *cancels)
{
	struct http_conn *conn;

	pthread_mutex_lock(&c->lock);
	*cancels = c->cancels;
	conn = c->idle;
	if (conn)
		c->idle = conn->next;
	else
		conn = conn_new();
	if (conn) {
		conn->next = c->busy;
		c->busy = conn;
	}
	pthread_mutex_unlock(&c->lock);
	return conn;
}

void http_conn_give(struct http_client *c, struct http_conn *conn)
{
	pthread_mutex_lock(&c->lock);
	for (struct http_conn **p = &c->busy; *p; p = &(*p)->next)
		if (*p == conn) {
			*p = conn->next;
			break;
		}
	conn->next = c->idle;
	c->idle = conn;
	pthread_mutex_unlock(&c->lock);
}

bool http_cancelled(struct http_client *c, unsigned long since)
{
	bool changed;

	pthread_mutex_lock(&c->lock);
	changed = c->cancels != since;
	pthread_mutex_unlock(&c->lock);
	return changed;
}

void http_client_cancel(struct http_client *c)
{
	pthread_mutex_lock(&c->lock);
	c->cancels++;
	for (struct http_conn *conn = c->busy; conn; conn = conn->next)
		curl_multi_wakeup(conn->multi);
	pthread_mutex_unlock(&c->lock);
}
