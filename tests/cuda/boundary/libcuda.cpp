// In the place of NVIDIA's driver: what it answers is in the environment. It has no device, and runs nothing.
#include <cstdlib>
#include <cstring>

static int told(const char* name, int otherwise) {
    const char* value = getenv(name);
    return value ? atoi(value) : otherwise;
}

extern "C" {
int cuInit(unsigned) { return told("DRIVER_STARTS", 0); }
int cuDriverGetVersion(int* version) { return *version = told("DRIVER_VERSION", 12080), 0; }
int cuDeviceGetCount(int* count) { return *count = told("DRIVER_COUNTS", 1), 0; }
int cuDeviceGet(int* device, int number) { return *device = number, 0; }
int cuDeviceGetName(char* name, int size, int) { return strncpy(name, "Double of a device", size), 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = 16ull << 30, 0; }
int cuDeviceGetAttribute(int* value, int attribute, int) { return *value = attribute == 75 ? told("DRIVER_MAJOR", 8) : 6, 0; }
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = context, told("DRIVER_OPENS", 0); }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxPushCurrent_v2(void*) { return 0; }
int cuCtxPopCurrent_v2(void** context) { return *context = nullptr, 0; }
int cuMemGetInfo_v2(size_t* free, size_t* total) { return *free = 15ull << 30, *total = 16ull << 30, 0; }
}
