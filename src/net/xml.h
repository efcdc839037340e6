/* xml.h - read the few XML answers (S3, STS) into a flat list of paths, over expat.
 * No entities but the predefined ones, no DTD, bounded depth and size. Pure. */
#ifndef RECAGENT_NET_XML_H
#define RECAGENT_NET_XML_H

#include "base/buf.h"
#include "base/err.h"

/* Called at the end of each leaf element: path "ListBucketResult/Contents/Key" (namespaces dropped), its
 * text; and at the end of each inner element with text NULL. */
typedef void xml_on_element(const char *path, const char *text, void *arg);

int xml_read(const char *p, size_t n, xml_on_element *fn, void *arg, struct err *e);

/* The text of the first element with that path appended to out; false when there is none. */
bool xml_find(const char *p, size_t n, const char *path, struct buf *out);

#endif
