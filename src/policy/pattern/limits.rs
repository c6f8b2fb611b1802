//! What a pattern may take.

/// What one compiled pattern may take. Far above what people write, far below what would hurt.
pub(super) const NFA_LIMIT: usize = 2 << 20;
/// The cache of the lazy automaton: one for each thread that uses the pattern, so a small one.
pub(super) const CACHE_LIMIT: usize = 256 << 10;
/// How deep groups and repetitions nest. The engine compiles by recursion, and its stack is not ours to grow.
pub(super) const MAX_DEPTH: u32 = 250;
/// The same for the engine's parser, which also counts the alternation and the sequence within a group.
pub(in crate::policy) const NEST_LIMIT: u32 = 4 * MAX_DEPTH;
