/* owner.h - the name of a worker in lease rows, and whether a worker of this machine is gone.
 *
 * HOST:PID:BOOT-NS-START:RANDOM. BOOT, NS and START (boot id, pid namespace, start time of the process) make sure that
 * "no such process" means that very worker, also across reboots, containers and reused pids. Thread-safe. */
#ifndef RECAGENT_FLOW_OWNER_H
#define RECAGENT_FLOW_OWNER_H

#include "flow/leases.h"

void owner_new(char out[OWNER_MAX]);
/* True only if it is certain: a process of this boot and pid namespace that no longer runs. */
bool owner_dead(const char *owner);
/* A worker of this program, by its name: asked for a lease, it hands it over. */
bool owner_gentle(const char *owner);

#endif
