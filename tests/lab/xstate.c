/* Loaded into the lab's kernel, which knows a smaller floating point state than processors with AMX have.

   User-mode-linux 6.1 hands ptrace an area of a fixed size. The host takes one of the processor's full size only, and
   answers anything less with EFAULT: the kernel panics at its start. What is missing here is the initial state of
   features that nothing in the lab has used, which is all zeros (Intel's manual, volume 1, 13.6). */

#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define NT_X86_XSTATE 0x202
#define XSTATE_LEAF 0xd
#define AREA_MAX 65536

typedef long (*ptrace_call)(int, long, void *, void *);

/* The bytes that the features which the operating system switched on need. */
static size_t needed(void)
{
    unsigned a, size = 0, c, d;
    __cpuid_count(XSTATE_LEAF, 0, a, size, c, d);
    return size <= AREA_MAX ? size : 0;
}

long ptrace(enum __ptrace_request request, ...)
{
    static ptrace_call real;
    static char area[AREA_MAX] __attribute__((aligned(64)));
    va_list list;
    va_start(list, request);
    long pid = va_arg(list, long);
    void *address = va_arg(list, void *);
    void *data = va_arg(list, void *);
    va_end(list);
    if (!real)
        real = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
    if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
        const struct iovec *given = data;
        struct iovec whole = {area, needed()};
        if (given->iov_len < whole.iov_len) {
            memset(area, 0, whole.iov_len);
            memcpy(area, given->iov_base, given->iov_len);
            return real(request, pid, address, &whole);
        }
    }
    return real(request, pid, address, data);
}
