/* error_fuzz.c - libFuzzer target: any body of a refused request, as JSON or XML; any XML answer.
 *
 * The first byte chooses the protocol. Checked: no bad access, texts end within their room and hold no control characters
 * that err_set would not take away. */
#include "aws/aws_error.h"
#include "base/mem.h"
#include "net/xml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void on_element(const char *path, const char *text, void *arg)
{
	*(size_t *)arg += strlen(path) + (text ? strlen(text) : 0); /* both end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_resp resp = { .status = 400 };
	struct aws_fault f;
	struct err e = { 0 };
	struct buf found = BUF_INIT(1 << 20);
	size_t elements = 0;
	if (n < 1)
		return 0;
	resp.body = (struct buf)BUF_INIT(1 << 20);
	buf_add(&resp.body, data + 1, n - 1);
	aws_fault_decode(&f, (enum aws_protocol)(data[0] % 4), &resp);
	if (!memchr(f.code, 0, sizeof f.code) || !memchr(f.message, 0, sizeof f.message) || !f.code[0] ||
		!memchr(f.region, 0, sizeof f.region) || !memchr(f.request_id, 0, sizeof f.request_id))
		abort();
	(void)aws_fault_class(400, f.code);
	if (xml_read((const char *)data + 1, n - 1, on_element, &elements, &e) && !e.msg[0])
		abort();
	(void)xml_find((const char *)data + 1, n - 1, "Error/Code", &found);
	buf_release(&found);
	buf_release(&resp.body);
	return 0;
}
