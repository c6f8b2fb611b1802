//! The one place where unsafe code is allowed: asking the CPU to fetch a line before it is needed.
//!
//! A probe of a large table costs a cache miss. A batch of them costs little more than one if they are all
//! under way at once; `benches/data_path.rs` shows the gain. A prefetch reads nothing and changes nothing.

/// Starts to bring the cache line of `value` in.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: PREFETCHT0 has no effect on memory or registers and faults on no address; SSE is in the x86_64 baseline.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
            std::ptr::from_ref(value).cast(),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
