//! Load-test harness.
