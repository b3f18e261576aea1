// From one fibre to another. swapcontext would do, but asks the kernel for a signal mask at each switch.
#pragma once

// Saves the registers that a call keeps on the stack, its pointer in `save`, and goes on with the stack of `load`. A new
// stack is WORDS words of 0, but for its function's address at RETURN_TO; its end is a multiple of 16.
extern "C" void switch_stack(void** save, void* load);

#if defined(__x86_64__)
asm(R"(
.text
.type switch_stack, @function
switch_stack:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
.size switch_stack, . - switch_stack
)");
constexpr int RETURN_TO = 6, WORDS = 8;
#elif defined(__aarch64__)
asm(R"(
.text
.type switch_stack, %function
switch_stack:
    stp x19, x20, [sp, #-160]!
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x19, x20, [sp], #160
    ret
.size switch_stack, . - switch_stack
)");
constexpr int RETURN_TO = 11, WORDS = 20;
#else
#error "fibres are written for x86-64 and aarch64: add switch_stack for this processor"
#endif
