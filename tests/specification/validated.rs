//! What remote write 2.0 asks of a receiver.
