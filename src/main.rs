//! The `seriesgate` binary.

use std::process::ExitCode;

// Gives memory back after churn and does not fragment under it, which libc's allocator does.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    seriesgate::cli::main()
}
