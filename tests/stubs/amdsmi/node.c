#include "node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node node;
static FILE *calls;

static void path(char *into, size_t size, const char *name) {
    const char *folder = getenv("AMDSMI_STUB");
    if (!folder) {
        fprintf(stderr, "stub of libamd_smi.so: AMDSMI_STUB names no folder\n");
        abort();
    }
    snprintf(into, size, "%s/%s", folder, name);
}

static void broken(const char *line) {
    fprintf(stderr, "stub of libamd_smi.so: cannot read the node's line: %s", line);
    abort();
}

static void read_line(const char *line) {
    char kind[NAME] = "", bdf[NAME];
    unsigned partition, amount;
    struct gpu *gpu = &node.gpus[node.gpu_count];
    struct profile *profile = &node.profiles[node.profile_count];
    struct process *process = &node.processes[node.process_count];
    struct fault *script = &node.faults[node.fault_count];
    struct hole *gap = &node.holes[node.hole_count];
    struct option *choice = &node.options[node.option_count];
    int good = 1;
    sscanf(line, "%63s", kind);
    if (!strcmp(kind, "driver"))
        good = sscanf(line, "driver %63s", node.driver_version) == 1;
    else if (!strcmp(kind, "requested"))
        good = sscanf(line, "requested %63s", node.requested) == 1;
    else if (!strcmp(kind, "lost_on_reload"))
        good = sscanf(line, "lost_on_reload %63s", node.lost_on_reload) == 1;
    else if (!strcmp(kind, "gpu")) {
        good = sscanf(line, "gpu %63s %63s %lu %lu %u %u %u %u %63s %63s %u %u %lu %lu %lu %lu", gpu->bdf,
                      gpu->market_name, &gpu->device_id, &gpu->serial, &gpu->graphics, &gpu->xcds, &gpu->compute_units, &gpu->vram_mib, gpu->compute,
                      gpu->memory, &gpu->render, &gpu->card, &gpu->correctable, &gpu->uncorrectable,
                      &gpu->deferred, &gpu->hive) == 16;
        gpu->hotspot = gpu->memory_sensor = gpu->edge = gpu->watts = gpu->average_watts = 0xFFFF;
        node.gpu_count++;
    } else if (!strcmp(kind, "sensors")) {
        struct gpu read;
        good = sscanf(line, "sensors %63s %u %u %u %u %u", bdf, &read.hotspot, &read.memory_sensor, &read.edge,
                      &read.watts, &read.average_watts) == 6;
        for (unsigned i = 0; good && i < node.gpu_count; i++)
            if (!strcmp(node.gpus[i].bdf, bdf)) {
                node.gpus[i].hotspot = read.hotspot, node.gpus[i].memory_sensor = read.memory_sensor;
                node.gpus[i].edge = read.edge, node.gpus[i].watts = read.watts;
                node.gpus[i].average_watts = read.average_watts;
            }
    } else if (!strcmp(kind, "used") || !strcmp(kind, "busy")) {
        good = sscanf(line, "%*s %63s %u %u", bdf, &partition, &amount) == 3 && partition < MAX_PARTITIONS;
        for (unsigned i = 0; good && i < node.gpu_count; i++)
            if (!strcmp(node.gpus[i].bdf, bdf))
                (kind[0] == 'u' ? node.gpus[i].used_mib : node.gpus[i].busy)[partition] = amount;
    } else if (!strcmp(kind, "profile")) {
        good = sscanf(line, "profile %u %63s %u %u", &profile->index, profile->type, &profile->partitions,
                      &profile->memory_caps) == 4;
        node.profile_count++;
    } else if (!strcmp(kind, "process")) {
        good = sscanf(line, "process %63s %u %63s", process->bdf, &process->pid, process->name) == 3;
        node.process_count++;
    } else if (!strcmp(kind, "fault")) {
        good = sscanf(line, "fault %63s %63s %u %d", script->call, script->bdf, &script->status, &script->times) == 4;
        node.fault_count++;
    } else if (!strcmp(kind, "hole")) {
        good = sscanf(line, "hole %63s %63s %d", gap->call, gap->bdf, &gap->partition) == 3;
        node.hole_count++;
    } else if (!strcmp(kind, "option")) {
        good = sscanf(line, "option %63s %u", choice->name, &choice->value) == 2;
        node.option_count++;
    } else
        good = 0;
    if (!good) broken(line);
}

void load_node(void) {
    char name[4096], line[1024];
    path(name, sizeof name, "node");
    FILE *file = fopen(name, "r");
    memset(&node, 0, sizeof node);
    if (!file) broken("(there is no file)\n");
    while (fgets(line, sizeof line, file)) read_line(line);
    fclose(file);
}

void save_node(void) {
    char name[4096], whole[4096];
    path(whole, sizeof whole, "node");
    path(name, sizeof name, "node.new"); /* renamed in the end: a test never reads half of it */
    FILE *file = fopen(name, "w");
    if (!file) broken("(cannot be written)\n");
    fprintf(file, "driver %s\nrequested %s\n", node.driver_version, node.requested);
    if (node.lost_on_reload[0]) fprintf(file, "lost_on_reload %s\n", node.lost_on_reload);
    for (unsigned i = 0; i < node.gpu_count; i++) {
        const struct gpu *g = &node.gpus[i];
        fprintf(file, "gpu %s %s %lu %lu %u %u %u %u %s %s %u %u %lu %lu %lu %lu\n", g->bdf, g->market_name, g->device_id,
                g->serial, g->graphics, g->xcds, g->compute_units, g->vram_mib, g->compute, g->memory, g->render, g->card,
                g->correctable, g->uncorrectable, g->deferred, g->hive);
        fprintf(file, "sensors %s %u %u %u %u %u\n", g->bdf, g->hotspot, g->memory_sensor, g->edge, g->watts,
                g->average_watts);
        for (unsigned p = 0; p < MAX_PARTITIONS; p++) {
            if (g->used_mib[p]) fprintf(file, "used %s %u %u\n", g->bdf, p, g->used_mib[p]);
            if (g->busy[p]) fprintf(file, "busy %s %u %u\n", g->bdf, p, g->busy[p]);
        }
    }
    for (unsigned i = 0; i < node.profile_count; i++)
        fprintf(file, "profile %u %s %u %u\n", node.profiles[i].index, node.profiles[i].type,
                node.profiles[i].partitions, node.profiles[i].memory_caps);
    for (unsigned i = 0; i < node.process_count; i++)
        fprintf(file, "process %s %u %s\n", node.processes[i].bdf, node.processes[i].pid, node.processes[i].name);
    for (unsigned i = 0; i < node.fault_count; i++)
        fprintf(file, "fault %s %s %u %d\n", node.faults[i].call, node.faults[i].bdf, node.faults[i].status,
                node.faults[i].times);
    for (unsigned i = 0; i < node.hole_count; i++)
        fprintf(file, "hole %s %s %d\n", node.holes[i].call, node.holes[i].bdf, node.holes[i].partition);
    for (unsigned i = 0; i < node.option_count; i++)
        fprintf(file, "option %s %u\n", node.options[i].name, node.options[i].value);
    fclose(file);
    if (rename(name, whole)) broken("(cannot be replaced)\n");
}

void open_log(void) {
    char name[4096];
    path(name, sizeof name, "calls");
    if (!calls) calls = fopen(name, "a");
}

void close_log(void) {
    if (calls) fclose(calls);
    calls = 0;
}

void log_call(const char *call, const char *arguments, unsigned status) {
    int was_open = calls != 0;
    open_log();
    if (calls) fprintf(calls, "%s %s %u\n", call, arguments, status);
    if (!was_open) close_log();
}

unsigned option(const char *name) {
    for (unsigned i = 0; i < node.option_count; i++)
        if (!strcmp(node.options[i].name, name)) return node.options[i].value;
    return 0;
}

void set_option(const char *name, unsigned value) {
    unsigned i = 0;
    while (i < node.option_count && strcmp(node.options[i].name, name)) i++;
    if (i == node.option_count) node.option_count++;
    strcpy(node.options[i].name, name);
    node.options[i].value = value;
}

static int matches(const char *pattern, const char *text) { return !strcmp(pattern, "*") || !strcmp(pattern, text); }

static void wait_for_release(void) {
    char name[4096];
    path(name, sizeof name, "release");
    if (calls) fflush(calls);
    while (access(name, F_OK)) usleep(2000);
}

unsigned fault(const char *call, const char *bdf) {
    for (unsigned i = 0; i < node.fault_count; i++) {
        struct fault *script = &node.faults[i];
        if (strcmp(script->call, call) || !matches(script->bdf, bdf) || !script->times) continue;
        if (script->times > 0) {
            script->times--;
            save_node();
        }
        if (script->status != HANGS) return script->status;
        log_call(call, bdf, HANGS);
        wait_for_release();
    }
    return 0;
}

int hole(const char *call, const char *bdf, int partition) {
    for (unsigned i = 0; i < node.hole_count; i++)
        if (!strcmp(node.holes[i].call, call) && matches(node.holes[i].bdf, bdf) &&
            (node.holes[i].partition == ALL || node.holes[i].partition == partition))
            return 1;
    return 0;
}

int held(const char *bdf) {
    for (unsigned i = 0; i < node.process_count; i++)
        if (!bdf || !strcmp(node.processes[i].bdf, bdf)) return 1;
    return 0;
}

unsigned partitions_of(const struct gpu *gpu) {
    switch (gpu->compute[0]) {
    case 'D': return 2;
    case 'T': return 3;
    case 'Q': return 4;
    case 'C': return gpu->xcds;
    default: return 1;
    }
}

const struct profile *profile_of_type(const char *type) {
    for (unsigned i = 0; i < node.profile_count; i++)
        if (!strcmp(node.profiles[i].type, type)) return &node.profiles[i];
    return 0;
}

const struct profile *profile_of_index(unsigned index) {
    for (unsigned i = 0; i < node.profile_count; i++)
        if (node.profiles[i].index == index) return &node.profiles[i];
    return 0;
}

unsigned memory_bit(const char *memory) { return strncmp(memory, "NPS", 3) ? 0 : (unsigned)atoi(memory + 3); }

/* What the driver does when it is loaded anew: the memory mode asked for comes, compute modes are its own choice. */
void reload(void) {
    unsigned kept = 0;
    for (unsigned i = 0; i < node.gpu_count; i++) {
        struct gpu *gpu = &node.gpus[i];
        if (!strcmp(gpu->bdf, node.lost_on_reload)) continue;
        if (strcmp(node.requested, "-")) strcpy(gpu->memory, node.requested);
        const struct profile *first = 0, *whole = profile_of_type("SPX");
        for (unsigned p = 0; p < node.profile_count && !first; p++)
            if (node.profiles[p].memory_caps & memory_bit(gpu->memory)) first = &node.profiles[p];
        if (whole && whole->memory_caps & memory_bit(gpu->memory)) first = whole;
        if (first) strcpy(gpu->compute, first->type);
        memset(gpu->used_mib, 0, sizeof gpu->used_mib);
        memset(gpu->busy, 0, sizeof gpu->busy);
        node.gpus[kept++] = *gpu;
    }
    node.gpu_count = kept;
    node.lost_on_reload[0] = 0;
    strcpy(node.requested, "-");
}
