/* A stand-in for NVIDIA's libnvidia-ml.so.1, for tests alone: power follows a script, the energy counter is its exact
 * integral, and the faults of real sensors can be chosen. Layouts and numbers are those of NVML's public nvml.h.
 *
 * Chosen by environment variables (seconds are on the double's clock, whose zero is NVML_DOUBLE_START):
 *   NVML_DOUBLE_TRACE        file of lines `seconds watts` in rising order; held before the first and after the last
 *   NVML_DOUBLE_SHAPE        `linear` between the lines (default) or `steps` (each value held until the next line)
 *   NVML_DOUBLE_START        the instant of CLOCK_MONOTONIC, in seconds, that is zero; default: the first nvmlInit
 *   NVML_DOUBLE_TICK_S       how often counter and sensor are refreshed (default 0.1)
 *   NVML_DOUBLE_AVERAGE_S    over how long nvmlDeviceGetPowerUsage averages (default: one tick)
 *   NVML_DOUBLE_DUTY         share of each tick, its end, during which the sensor looks (default 1)
 *   NVML_DOUBLE_RESET_S      when the energy counter starts again from zero (default: never)
 *   NVML_DOUBLE_FREEZE_S     from when on the energy counter stands still (default: never)
 *   NVML_DOUBLE_SCALE        what the energy counter counts for each joule (default 1)
 *   NVML_DOUBLE_LOST_S       from when on every call answers that the GPU is lost (default: never)
 *   NVML_DOUBLE_UNSUPPORTED  words among energy, power, instant, utilization, clocks, default, temperature,
 *                            throttle, memory
 *   NVML_DOUBLE_THROTTLE     throttle reasons as a bit mask (default 0)
 *   NVML_DOUBLE_GPUS         how many GPUs (default 1); GPU i draws i + 1 times the script's power
 *   NVML_DOUBLE_SLOW_READS   how many readings of the SM clock, from the first on, answer 900 MHz (default 0)
 *   NVML_DOUBLE_OTHER_PID    a second process on each GPU (default: none)
 *   NVML_DOUBLE_STATE        file of a line `limit clock` for each GPU: the power limit that is set in mW, and the MHz
 *                            that its clock is locked to (0: free); it outlives the process, as a GPU's settings do
 *   NVML_DOUBLE_PERMITTED    how many settings are permitted to this process, the first ones (default: all)
 *   NVML_DOUBLE_LEAST_W      the least power limit that may be set (default 100)
 *   NVML_DOUBLE_PID          the one process on each GPU, which holds 1 GiB (default: the calling process)
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
    GPU_IS_LOST = 15, MOST_LINES = 20000, MOST_GPUS = 8, FIELD_POWER_AVERAGE = 185, FIELD_POWER_INSTANT = 186
};

typedef struct { unsigned index; } Device;
typedef struct {
    uint32_t field, scope;
    int64_t timestamp, latency;
    uint32_t type;
    int32_t status;
    union { double d; unsigned u; uint64_t ull; } value;
} FieldValue;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } ProcessInfo;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Utilization;

static Device devices[MOST_GPUS];
static int references, lines, steps;
static double seconds[MOST_LINES], watts[MOST_LINES], joules[MOST_LINES];  /* joules: integral up to that line */
static double start_s = NAN, tick_s, average_s, duty, reset_s, freeze_s, scale, lost_s;
static unsigned gpus;
static unsigned limits_mW[MOST_GPUS], locks_MHz[MOST_GPUS];

static double number(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text && *text ? atof(text) : otherwise;
}

static double monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double now(void) { return monotonic() - start_s; }

static void read_trace(void) {
    const char *path = getenv("NVML_DOUBLE_TRACE"), *shape = getenv("NVML_DOUBLE_SHAPE");
    FILE *file = path ? fopen(path, "r") : NULL;
    steps = shape && !strcmp(shape, "steps");
    lines = 0;
    while (file && lines < MOST_LINES && fscanf(file, "%lf %lf", &seconds[lines], &watts[lines]) == 2) {
        if (lines > 0) {
            double high = steps ? watts[lines - 1] : 0.5 * (watts[lines - 1] + watts[lines]);
            joules[lines] = joules[lines - 1] + high * (seconds[lines] - seconds[lines - 1]);
        }
        lines++;
    }
    if (file) fclose(file);
    if (lines == 0) { seconds[0] = 0; watts[0] = 100; lines = 1; }  /* without a script: 100 W */
}

/* Joules drawn since the script's first line, at t; negative before it. */
static double energy_at(double t) {
    int low = 0, high = lines - 1;
    if (t <= seconds[0]) return watts[0] * (t - seconds[0]);
    if (t >= seconds[high]) return joules[high] + watts[high] * (t - seconds[high]);
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (seconds[middle] <= t) low = middle; else high = middle;
    }
    double into = t - seconds[low], slope = (watts[high] - watts[low]) / (seconds[high] - seconds[low]);
    return joules[low] + watts[low] * into + (steps ? 0 : 0.5 * slope * into * into);
}

static double last_tick(double t) { return floor(t / tick_s) * tick_s; }

/* Mean power that the sensor saw during the last part of the tick that ended at `tick`. */
static double sensed(double tick) {
    double looked = duty * tick_s;
    return (energy_at(tick) - energy_at(tick - looked)) / looked;
}

static double averaged(double tick) {
    int count = (int)lround(average_s / tick_s);
    double sum = 0;
    for (int i = 0; i < count; i++) sum += sensed(tick - i * tick_s);
    return sum / count;
}

static int check(const Device *device) {
    if (references == 0) return UNINITIALIZED;
    if (device < devices || device >= devices + gpus) return INVALID_ARGUMENT;
    return now() >= lost_s ? GPU_IS_LOST : SUCCESS;
}

static int answers(const Device *device, const char *what) {
    const char *unsupported = getenv("NVML_DOUBLE_UNSUPPORTED");
    int status = check(device);
    if (status != SUCCESS) return status;
    return unsupported && strstr(unsupported, what) ? NOT_SUPPORTED : SUCCESS;
}

static void read_state(void) {
    const char *path = getenv("NVML_DOUBLE_STATE");
    FILE *file = path ? fopen(path, "r") : NULL;
    for (int i = 0; i < MOST_GPUS; i++) {
        if (!limits_mW[i]) limits_mW[i] = 350000;
        if (file && fscanf(file, "%u %u", &limits_mW[i], &locks_MHz[i]) != 2) break;
    }
    if (file) fclose(file);
}

/* Whole or not at all: another process may be reading it. */
static void write_state(void) {
    const char *path = getenv("NVML_DOUBLE_STATE");
    char fresh[4096];
    if (!path) return;
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    for (int i = 0; file && i < MOST_GPUS; i++) fprintf(file, "%u %u\n", limits_mW[i], locks_MHz[i]);
    if (file && !fclose(file)) rename(fresh, path);
}

static int set(const Device *device, unsigned *values, unsigned value) {
    static int settings;
    int status = check(device);
    if (status != SUCCESS) return status;
    if (settings++ >= number("NVML_DOUBLE_PERMITTED", INFINITY)) return NO_PERMISSION;
    read_state();
    values[device->index] = value;
    write_state();
    return SUCCESS;
}

static int put(char *to, unsigned size, const char *text) {
    if (strlen(text) >= size) return INSUFFICIENT_SIZE;
    strcpy(to, text);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (references++ > 0) return SUCCESS;
    tick_s = number("NVML_DOUBLE_TICK_S", 0.1);
    average_s = fmax(number("NVML_DOUBLE_AVERAGE_S", tick_s), tick_s);
    duty = number("NVML_DOUBLE_DUTY", 1);
    reset_s = number("NVML_DOUBLE_RESET_S", INFINITY);
    freeze_s = number("NVML_DOUBLE_FREEZE_S", INFINITY);
    scale = number("NVML_DOUBLE_SCALE", 1);
    lost_s = number("NVML_DOUBLE_LOST_S", INFINITY);
    gpus = (unsigned)number("NVML_DOUBLE_GPUS", 1);
    for (unsigned i = 0; i < MOST_GPUS; i++) devices[i].index = i;
    if (isnan(start_s)) start_s = number("NVML_DOUBLE_START", monotonic());
    read_trace();
    return SUCCESS;
}

int nvmlShutdown(void) { return references > 0 ? (references--, SUCCESS) : UNINITIALIZED; }

const char *nvmlErrorString(int status) { (void)status; return "an error of the double"; }

int nvmlSystemGetDriverVersion(char *version, unsigned size) { return put(version, size, "999.01"); }

int nvmlDeviceGetCount_v2(unsigned *count) { *count = gpus; return references ? SUCCESS : UNINITIALIZED; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    if (index >= gpus) return INVALID_ARGUMENT;
    *device = &devices[index];
    return check(*device);
}

int nvmlDeviceGetUUID(Device *device, char *uuid, unsigned size) {
    char text[64];
    snprintf(text, sizeof text, "GPU-%08x-0000-0000-0000-000000000000", device->index + 0xa0);
    return check(device) ? check(device) : put(uuid, size, text);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Device **device) {
    char text[64];
    for (unsigned i = 0; i < gpus; i++) {
        *device = &devices[i];
        if (nvmlDeviceGetUUID(*device, text, sizeof text) == SUCCESS && !strcmp(text, uuid)) return SUCCESS;
    }
    return NOT_FOUND;
}

int nvmlDeviceGetName(Device *device, char *name, unsigned size) {
    char text[32];
    snprintf(text, sizeof text, "Test double %u", device->index);
    return check(device) ? check(device) : put(name, size, text);
}

/* As NVML documents the averaging, and as is known of the part-time sensors: 9.0 (H100) where both are chosen, 8.6
 * (Ampere, not GA100) where it averages, 8.0 (GA100) where it looks part of the time, 7.0 (Volta) otherwise. */
int nvmlDeviceGetCudaComputeCapability(Device *device, int *major, int *minor) {
    int averages = average_s > tick_s, part_time = duty < 1;
    *major = averages ? (part_time ? 9 : 8) : (part_time ? 8 : 7);
    *minor = averages && !part_time ? 6 : 0;
    return check(device);
}

int nvmlDeviceGetTotalEnergyConsumption(Device *device, unsigned long long *millijoules) {
    double tick = last_tick(fmin(now(), freeze_s)), energy = energy_at(tick) - energy_at(0) + 1000;
    if (tick >= reset_s) energy = energy_at(tick) - energy_at(reset_s);
    *millijoules = (unsigned long long)(1e3 * scale * fmax(energy, 0) * (device->index + 1));
    return answers(device, "energy");
}

int nvmlDeviceGetPowerUsage(Device *device, unsigned *milliwatts) {
    *milliwatts = (unsigned)(1e3 * averaged(last_tick(now())) * (device->index + 1));
    return answers(device, "power");
}

int nvmlDeviceGetFieldValues(Device *device, int count, FieldValue *values) {
    for (int i = 0; i < count; i++) {
        double tick = last_tick(now());
        int instant = values[i].field == FIELD_POWER_INSTANT, average = values[i].field == FIELD_POWER_AVERAGE;
        values[i].type = 1;  /* unsigned int */
        values[i].value.u = (unsigned)(1e3 * (instant ? sensed(tick) : averaged(tick)) * (device->index + 1));
        values[i].status = instant ? answers(device, "instant") : average ? answers(device, "power") : NOT_SUPPORTED;
    }
    return check(device);
}

int nvmlDeviceGetUtilizationRates(Device *device, Utilization *rates) {
    rates->gpu = 87;
    rates->memory = 40;
    return answers(device, "utilization");
}

int nvmlDeviceGetClockInfo(Device *device, unsigned type, unsigned *megahertz) {
    static int readings;
    read_state();
    *megahertz = type == 2 ? 1215 : 1410;  /* NVML_CLOCK_MEM is 2 */
    if (type != 2 && check(device) == SUCCESS && locks_MHz[device->index]) *megahertz = locks_MHz[device->index];
    if (type != 2 && readings++ < (int)number("NVML_DOUBLE_SLOW_READS", 0)) *megahertz = 900;
    return answers(device, "clocks");
}

int nvmlDeviceGetDefaultApplicationsClock(Device *device, unsigned type, unsigned *megahertz) {
    *megahertz = type == 2 ? 1593 : 1410;
    return answers(device, "default");
}

int nvmlDeviceGetMaxClockInfo(Device *device, unsigned type, unsigned *megahertz) {
    *megahertz = type == 2 ? 1593 : 1755;
    return answers(device, "clocks");
}

int nvmlDeviceGetTemperature(Device *device, unsigned sensor, unsigned *celsius) {
    *celsius = 61;
    return sensor == 0 ? answers(device, "temperature") : INVALID_ARGUMENT;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(Device *device, unsigned long long *reasons) {
    *reasons = (unsigned long long)number("NVML_DOUBLE_THROTTLE", 0);
    return answers(device, "throttle");
}

int nvmlDeviceGetPowerManagementLimit(Device *device, unsigned *milliwatts) {
    read_state();
    *milliwatts = check(device) == SUCCESS ? limits_mW[device->index] : 0;
    return check(device);
}

int nvmlDeviceGetPowerManagementLimitConstraints(Device *device, unsigned *least, unsigned *most) {
    *least = (unsigned)(1e3 * number("NVML_DOUBLE_LEAST_W", 100));
    *most = 400000;
    return check(device);
}

int nvmlDeviceSetPowerManagementLimit(Device *device, unsigned milliwatts) {
    unsigned least, most;
    nvmlDeviceGetPowerManagementLimitConstraints(device, &least, &most);
    return milliwatts < least || milliwatts > most ? INVALID_ARGUMENT : set(device, limits_mW, milliwatts);
}

/* Steps of 15 MHz, the fastest first, for the fastest memory clock alone. */
int nvmlDeviceGetSupportedGraphicsClocks(Device *device, unsigned memory_megahertz, unsigned *count, unsigned *clocks) {
    unsigned room = *count;
    if (memory_megahertz != 1593) return NOT_FOUND;
    *count = (1755 - 210) / 15 + 1;
    if (!clocks || room < *count) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < *count; i++) clocks[i] = 1755 - 15 * i;
    return answers(device, "clocks");
}

int nvmlDeviceSetGpuLockedClocks(Device *device, unsigned least, unsigned most) {
    return least > most ? INVALID_ARGUMENT : set(device, locks_MHz, most);
}

int nvmlDeviceResetGpuLockedClocks(Device *device) { return set(device, locks_MHz, 0); }

int nvmlDeviceGetPowerManagementDefaultLimit(Device *device, unsigned *milliwatts) {
    *milliwatts = 400000;
    return check(device);
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory) {
    memory->total = 80ULL << 30;
    memory->used = 2ULL << 30;
    memory->free = memory->total - memory->used;
    return answers(device, "memory");
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, ProcessInfo *processes) {
    unsigned room = *count;
    int status = answers(device, "memory");
    if (status != SUCCESS) return status;
    unsigned other = (unsigned)number("NVML_DOUBLE_OTHER_PID", 0);
    *count = other ? 2 : 1;
    if (room < *count) return INSUFFICIENT_SIZE;
    if (other) processes[1] = (ProcessInfo){other, 2ULL << 30, ~0u, ~0u};
    processes[0] = (ProcessInfo){(unsigned)number("NVML_DOUBLE_PID", getpid()), 1ULL << 30, ~0u, ~0u};
    return SUCCESS;
}
