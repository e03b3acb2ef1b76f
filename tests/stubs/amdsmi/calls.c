/* The calls of libamd_smi.so that the backend makes, answered from the node. All others answer NOT_SUPPORTED. */
#include "node.h"
#include "amdsmi_types.h" /* generated from the installed package's wrapper */

#include <stdio.h>
#include <string.h>

#define NOT_TOLD 0xFFFFFFFFu

struct place {
    struct gpu *gpu;
    unsigned partition;
};

static unsigned users;
static unsigned generation = 1; /* of handles: one from before a change or a shut down answers INVAL */

static void *handle_of(unsigned gpu, unsigned partition) {
    return (void *)(uintptr_t)((uint64_t)generation << 16 | (gpu + 1) << 8 | (partition + 1));
}

static unsigned done(const char *call, const struct place *at, const char *more, unsigned status) {
    char arguments[256] = "-";
    if (at->gpu) snprintf(arguments, sizeof arguments, "%s/%u%s%s", at->gpu->bdf, at->partition, *more ? " " : "", more);
    log_call(call, arguments, status);
    return status;
}

static unsigned enter(const char *call, void *handle, struct place *at) {
    uint64_t number = (uint64_t)(uintptr_t)handle;
    unsigned gpu = (number >> 8 & 0xFF) - 1, partition = (number & 0xFF) - 1;
    at->gpu = 0;
    if (!users) return done(call, at, "", AMDSMI_STATUS_NOT_INIT);
    if (number >> 16 != generation || gpu >= node.gpu_count) return done(call, at, "", AMDSMI_STATUS_INVAL);
    at->gpu = &node.gpus[gpu];
    at->partition = partition;
    unsigned status = fault(call, at->gpu->bdf);
    return status ? done(call, at, "", status) : AMDSMI_STATUS_SUCCESS;
}

#define ENTER(handle)                                                                                                  \
    struct place at;                                                                                                   \
    unsigned refused = enter(__func__, handle, &at);                                                                   \
    if (refused) return refused;
#define DONE(status) return done(__func__, &at, "", status)
#define HOLE hole(__func__, at.gpu->bdf, (int)at.partition)

unsigned amdsmi_init(uint64_t flags) {
    struct place nowhere = {0};
    (void)flags;
    load_node();
    open_log();
    unsigned status = option("driver_gone") ? AMDSMI_STATUS_DRIVER_NOT_LOADED : fault(__func__, "*");
    if (!status) {
        users++;
        generation++;
    }
    return done(__func__, &nowhere, "", status);
}

unsigned amdsmi_shut_down(void) {
    struct place nowhere = {0};
    unsigned status = users ? fault(__func__, "*") : AMDSMI_STATUS_NOT_INIT;
    if (!status) {
        users--;
        generation++;
    }
    done(__func__, &nowhere, "", status);
    if (!users) close_log();
    return status;
}

unsigned amdsmi_get_socket_handles(uint32_t *count, void **handles) {
    if (!users) return AMDSMI_STATUS_NOT_INIT;
    for (unsigned i = 0; handles && i < node.gpu_count && i < *count; i++)
        handles[i] = (void *)(uintptr_t)((uint64_t)generation << 16 | (i + 1) << 8);
    *count = node.gpu_count;
    return AMDSMI_STATUS_SUCCESS;
}

unsigned amdsmi_get_processor_handles(void *socket, uint32_t *count, void **handles) {
    unsigned gpu = ((uint64_t)(uintptr_t)socket >> 8 & 0xFF) - 1, found = 0;
    if (!users || gpu >= node.gpu_count) return AMDSMI_STATUS_INVAL;
    for (unsigned p = 0; p < partitions_of(&node.gpus[gpu]); p++) {
        if (hole("partition", node.gpus[gpu].bdf, (int)p)) continue;
        if (handles && found < *count) handles[found] = handle_of(gpu, p);
        found++;
    }
    *count = found;
    return AMDSMI_STATUS_SUCCESS;
}

unsigned amdsmi_get_gpu_device_bdf(void *handle, amdsmi_bdf_t *bdf) {
    ENTER(handle)
    unsigned domain, bus, device;
    sscanf(at.gpu->bdf, "%x:%x:%x", &domain, &bus, &device);
    memset(bdf, 0, sizeof *bdf);
    bdf->struct_amdsmi_bdf_t.domain_number = domain;
    bdf->struct_amdsmi_bdf_t.bus_number = bus;
    bdf->struct_amdsmi_bdf_t.device_number = device;
    bdf->struct_amdsmi_bdf_t.function_number = at.partition; /* where the driver writes the partition */
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_topo_get_link_type(void *handle, void *other, uint64_t *hops, uint32_t *type) {
    struct place to;
    ENTER(handle)
    unsigned status = enter(__func__, other, &to);
    if (status) return status;
    int linked = at.gpu->hive && at.gpu->hive == to.gpu->hive;
    *hops = linked ? 1 : 2;
    *type = HOLE ? AMDSMI_LINK_TYPE_UNKNOWN : linked ? AMDSMI_LINK_TYPE_XGMI : AMDSMI_LINK_TYPE_PCIE;
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_device_uuid(void *handle, uint32_t *length, char *uuid) {
    ENTER(handle)
    unsigned partition = option("uuid_of_the_whole_gpu") ? 0 : at.partition;
    snprintf(uuid, *length, "%02xff74a1-0000-1000-80%02x-%012lx", partition, partition, at.gpu->serial & 0xFFFFFFFF);
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_kfd_info(void *handle, amdsmi_kfd_info_t *info) {
    ENTER(handle)
    memset(info, 0, sizeof *info);
    info->kfd_id = (at.gpu->serial & 0xFFFF) + at.partition;
    info->current_partition_id = HOLE ? NOT_TOLD : at.partition;
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_enumeration_info(void *handle, amdsmi_enumeration_info_t *info) {
    ENTER(handle)
    memset(info, 0, sizeof *info);
    info->drm_render = HOLE ? NOT_TOLD : at.gpu->render + at.partition;
    info->drm_card = HOLE ? NOT_TOLD : at.gpu->card + at.partition;
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_asic_info(void *handle, amdsmi_asic_info_t *info) {
    ENTER(handle)
    memset(info, 0, sizeof *info);
    snprintf(info->market_name, sizeof info->market_name, "%s", at.gpu->market_name);
    for (char *letter = info->market_name; *letter; letter++)
        if (*letter == '_') *letter = ' ';
    info->vendor_id = 0x1002;
    info->device_id = at.gpu->device_id;
    if (!HOLE) snprintf(info->asic_serial, sizeof info->asic_serial, "%lx", at.gpu->serial);
    info->num_of_compute_units = HOLE ? NOT_TOLD : at.gpu->compute_units;
    info->target_graphics_version = at.gpu->graphics;
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_driver_info(void *handle, amdsmi_driver_info_t *info) {
    ENTER(handle)
    memset(info, 0, sizeof *info);
    strcpy(info->driver_name, "amdgpu");
    strcpy(info->driver_version, node.driver_version);
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_vram_info(void *handle, amdsmi_vram_info_t *info) {
    ENTER(handle)
    memset(info, 0, sizeof *info);
    info->vram_size = HOLE ? 0 : at.gpu->vram_mib;
    DONE(at.partition ? AMDSMI_STATUS_NOT_SUPPORTED : AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_vram_usage(void *handle, amdsmi_vram_usage_t *usage) {
    ENTER(handle)
    unsigned whole = option("vram_of_the_whole_gpu"), count = partitions_of(at.gpu);
    memset(usage, 0, sizeof *usage);
    usage->vram_total = whole ? at.gpu->vram_mib : at.gpu->vram_mib / count;
    for (unsigned p = 0; p < count; p++)
        if (whole || p == at.partition) usage->vram_used += at.gpu->used_mib[p];
    DONE(AMDSMI_STATUS_SUCCESS);
}

/* Whole-GPU figures: they exist on partition 0 only, and say nothing of one partition. */
unsigned amdsmi_get_gpu_activity(void *handle, amdsmi_engine_usage_t *usage) {
    ENTER(handle)
    memset(usage, 0xFF, sizeof *usage);
    usage->gfx_activity = usage->umc_activity = usage->mm_activity = 0xFFFF;
    if (!at.partition && !HOLE) usage->gfx_activity = partitions_of(at.gpu) == 1 ? at.gpu->busy[0] : 99;
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_metrics_info(void *handle, amdsmi_gpu_metrics_t *metrics) {
    ENTER(handle)
    if (at.partition) DONE(AMDSMI_STATUS_NOT_SUPPORTED);
    memset(metrics, 0xFF, sizeof *metrics);
    unsigned count = partitions_of(at.gpu);
    if (!HOLE) {
        metrics->temperature_hotspot = at.gpu->hotspot;
        metrics->temperature_mem = at.gpu->memory_sensor;
        metrics->temperature_edge = at.gpu->edge;
        metrics->current_socket_power = at.gpu->watts;
        metrics->average_socket_power = at.gpu->average_watts;
    }
    for (unsigned p = 0; p < count && !HOLE; p++)
        for (unsigned die = 0; die < at.gpu->xcds / count; die++)
            metrics->xcp_stats[p].gfx_busy_inst[die] = at.gpu->busy[p];
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_total_ecc_count(void *handle, amdsmi_error_count_t *count) {
    ENTER(handle)
    memset(count, 0, sizeof *count);
    count->correctable_count = at.gpu->correctable;
    count->uncorrectable_count = at.gpu->uncorrectable;
    count->deferred_count = at.gpu->deferred;
    DONE(at.partition ? AMDSMI_STATUS_NOT_SUPPORTED : AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_process_list(void *handle, uint32_t *count, amdsmi_proc_info_t *list) {
    ENTER(handle)
    unsigned found = 0;
    for (unsigned i = 0; i < node.process_count && found < *count; i++) {
        if (strcmp(node.processes[i].bdf, at.gpu->bdf)) continue;
        memset(&list[found], 0, sizeof list[found]);
        if (strcmp(node.processes[i].name, "-")) strcpy(list[found].name, node.processes[i].name);
        list[found++].pid = node.processes[i].pid;
    }
    *count = found;
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_virtualization_mode(void *handle, uint32_t *mode) {
    ENTER(handle)
    *mode = option("virtualization");
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_compute_partition(void *handle, char *text, uint32_t length) {
    ENTER(handle)
    snprintf(text, length, "%s", HOLE ? "N/A" : at.gpu->compute);
    DONE(node.profile_count ? AMDSMI_STATUS_SUCCESS : AMDSMI_STATUS_NOT_SUPPORTED);
}

unsigned amdsmi_get_gpu_memory_partition(void *handle, char *text, uint32_t length) {
    ENTER(handle)
    snprintf(text, length, "%s", HOLE ? "UNKNOWN" : at.gpu->memory);
    DONE(node.profile_count ? AMDSMI_STATUS_SUCCESS : AMDSMI_STATUS_NOT_SUPPORTED);
}

unsigned amdsmi_get_gpu_memory_partition_config(void *handle, amdsmi_memory_partition_config_t *config) {
    ENTER(handle)
    memset(config, 0, sizeof *config);
    for (unsigned i = 0; i < node.profile_count && !HOLE; i++)
        config->partition_caps.nps_cap_mask |= node.profiles[i].memory_caps;
    if (option("memory_caps")) config->partition_caps.nps_cap_mask &= option("memory_caps");
    config->mp_mode = HOLE ? AMDSMI_MEMORY_PARTITION_UNKNOWN : memory_bit(at.gpu->memory);
    DONE(node.profile_count ? AMDSMI_STATUS_SUCCESS : AMDSMI_STATUS_NOT_SUPPORTED);
}

static unsigned type_of(const char *name) {
    static const char *types[] = {"", "SPX", "DPX", "TPX", "QPX", "CPX"};
    for (unsigned type = 1; type < 6; type++)
        if (!strcmp(types[type], name)) return type;
    return AMDSMI_ACCELERATOR_PARTITION_INVALID;
}

static const char *name_of(unsigned type) {
    static const char *types[] = {"INVALID", "SPX", "DPX", "TPX", "QPX", "CPX"};
    return types[type < 6 ? type : 0];
}

static void describe(const struct profile *profile, amdsmi_accelerator_partition_profile_t *into) {
    into->profile_type = type_of(profile->type);
    into->num_partitions = profile->partitions;
    into->memory_caps.nps_cap_mask = profile->memory_caps;
    into->profile_index = profile->index;
}

unsigned amdsmi_get_gpu_accelerator_partition_profile(void *handle, amdsmi_accelerator_partition_profile_t *profile,
                                                      uint32_t *partition_ids) {
    ENTER(handle)
    const struct profile *current = profile_of_type(at.gpu->compute);
    memset(profile, 0, sizeof *profile);
    partition_ids[0] = at.partition;
    if (at.partition || !current) DONE(AMDSMI_STATUS_NOT_SUPPORTED); /* the id is told nevertheless */
    describe(current, profile);
    if (HOLE) profile->num_partitions = NOT_TOLD;
    DONE(AMDSMI_STATUS_SUCCESS);
}

unsigned amdsmi_get_gpu_accelerator_partition_profile_config(void *handle,
                                                             amdsmi_accelerator_partition_profile_config_t *config) {
    ENTER(handle)
    memset(config, 0, sizeof *config);
    if (at.partition) DONE(AMDSMI_STATUS_NOT_SUPPORTED);
    if (!HOLE) config->num_profiles = node.profile_count;
    for (unsigned i = 0; i < config->num_profiles; i++) describe(&node.profiles[i], &config->profiles[i]);
    DONE(AMDSMI_STATUS_SUCCESS);
}

static unsigned set_compute(struct gpu *gpu, const struct profile *profile) {
    if (option("virtualization") == AMDSMI_VIRTUALIZATION_MODE_GUEST) return AMDSMI_STATUS_NO_PERM;
    if (held(gpu->bdf)) return AMDSMI_STATUS_BUSY;
    if (!profile || !(profile->memory_caps & memory_bit(gpu->memory))) return AMDSMI_STATUS_SETTING_UNAVAILABLE;
    if (option("forgets_compute_sets")) return AMDSMI_STATUS_SUCCESS;
    strcpy(gpu->compute, profile->type);
    memset(gpu->used_mib, 0, sizeof gpu->used_mib);
    memset(gpu->busy, 0, sizeof gpu->busy);
    save_node();
    generation++;
    return AMDSMI_STATUS_SUCCESS;
}

unsigned amdsmi_set_gpu_compute_partition(void *handle, uint32_t mode) {
    ENTER(handle)
    return done(__func__, &at, name_of(mode), set_compute(at.gpu, profile_of_type(name_of(mode))));
}

unsigned amdsmi_set_gpu_accelerator_partition_profile(void *handle, uint32_t index) {
    ENTER(handle)
    const struct profile *profile = profile_of_index(index);
    return done(__func__, &at, profile ? profile->type : "INVALID", set_compute(at.gpu, profile));
}

unsigned amdsmi_set_gpu_memory_partition(void *handle, uint32_t mode) {
    ENTER(handle)
    char name[16];
    unsigned caps = 0;
    snprintf(name, sizeof name, "NPS%u", mode);
    for (unsigned i = 0; i < node.profile_count; i++) caps |= node.profiles[i].memory_caps;
    if (option("virtualization") == AMDSMI_VIRTUALIZATION_MODE_GUEST)
        return done(__func__, &at, name, AMDSMI_STATUS_NO_PERM);
    if (!(caps & mode)) return done(__func__, &at, name, AMDSMI_STATUS_SETTING_UNAVAILABLE);
    if (held(0)) return done(__func__, &at, name, AMDSMI_STATUS_BUSY);
    /* the driver skips a request for the mode it is in: one that stands for another mode stays */
    if (strcmp(at.gpu->memory, name) && !option("forgets_memory_sets")) strcpy(node.requested, name);
    done(__func__, &at, name, AMDSMI_STATUS_SUCCESS);
    if (option("memory_set_reloads")) { /* as the library did before ROCm 7.0 */
        reload();
        generation++;
    }
    save_node();
    return AMDSMI_STATUS_SUCCESS;
}

unsigned amdsmi_gpu_driver_reload(void) {
    struct place nowhere = {0};
    if (!users) return done(__func__, &nowhere, "", AMDSMI_STATUS_NOT_INIT);
    unsigned status = held(0) ? AMDSMI_STATUS_AMDGPU_RESTART_ERR : fault(__func__, "*");
    if (!status && option("reload_ends_half_way")) {
        set_option("driver_gone", 1);
        set_option("reload_ends_half_way", 0);
        status = AMDSMI_STATUS_AMDGPU_RESTART_ERR;
    } else if (!status)
        reload();
    save_node();
    generation++;
    return done(__func__, &nowhere, "", status);
}

/* What `modprobe` does, for the tests' runner of programs: its exit status. */
unsigned stub_modprobe(unsigned load) {
    load_node();
    if (!load && held(0)) return 1;
    if (load && option("driver_gone")) reload();
    set_option("driver_gone", !load);
    save_node();
    log_call("modprobe", load ? "amdgpu" : "-r", 0);
    return 0;
}
