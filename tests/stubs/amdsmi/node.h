/* The node behind the stub of libamd_smi.so: read from a file at each call of amdsmi_init, written back at each change.
 *
 * The folder AMDSMI_STUB holds `node` (tests/stubs/amdsmi/node.py writes it and says what each line means), `calls`,
 * to which each call appends a line, and `release`, whose appearance ends every call that hangs. */
#ifndef NODE_H
#define NODE_H

#include <stdint.h>

#define MAX_GPUS 16
#define MAX_PARTITIONS 8
#define MAX_LINES 256
#define NAME 64
#define HANGS 1000 /* a status beyond AMD's: the call hangs until it is released, then goes on */
#define ALL -1

struct gpu {
    char bdf[NAME], market_name[NAME], compute[NAME], memory[NAME];
    uint64_t device_id, serial, correctable, uncorrectable, deferred, hive;
    unsigned graphics, xcds, compute_units, vram_mib, render, card;
    unsigned used_mib[MAX_PARTITIONS], busy[MAX_PARTITIONS];
    unsigned hotspot, memory_sensor, edge, watts, average_watts; /* 65535: not told */
};

struct profile { char type[NAME]; unsigned index, partitions, memory_caps; };
struct process { char bdf[NAME], name[NAME]; unsigned pid; };
struct fault { char call[NAME], bdf[NAME]; unsigned status; int times; };
struct hole { char call[NAME], bdf[NAME]; int partition; };
struct option { char name[NAME]; unsigned value; };

struct node {
    char driver_version[NAME], requested[NAME], lost_on_reload[NAME];
    struct gpu gpus[MAX_GPUS];
    struct profile profiles[MAX_LINES];
    struct process processes[MAX_LINES];
    struct fault faults[MAX_LINES];
    struct hole holes[MAX_LINES]; /* call "partition": that partition is not there at all */
    struct option options[MAX_LINES];
    unsigned gpu_count, profile_count, process_count, fault_count, hole_count, option_count;
};

extern struct node node;

void load_node(void);
void save_node(void);
void open_log(void);
void close_log(void);
void log_call(const char *call, const char *arguments, unsigned status);

unsigned option(const char *name);
unsigned fault(const char *call, const char *bdf); /* the scripted status, used up; waits when it hangs */
int hole(const char *call, const char *bdf, int partition);
int held(const char *bdf); /* bdf 0: by anybody, anywhere */
unsigned partitions_of(const struct gpu *gpu);
const struct profile *profile_of_type(const char *type);
const struct profile *profile_of_index(unsigned index);
unsigned memory_bit(const char *memory);
void reload(void);
void set_option(const char *name, unsigned value);

#endif
